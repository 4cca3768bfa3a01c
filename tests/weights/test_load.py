"""Loading weight files into Keras models."""

import json
import subprocess
import sys
from functools import cache

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from originals import Variant, of_style

import cnnblocks
from cnnblocks import weights
from cnnblocks.blocks import ConvBNRelu, InceptionBlock, NiNBlock, ResnetBlock, VGGBlock
from cnnblocks.weights import (
    AmbiguousWeightsError,
    WeightFileError,
    WeightsMismatchError,
    load_weights,
    model_structure,
)

layers = keras.layers


def values(model):
    return [keras.ops.convert_to_numpy(v) for v in model.weights]


def compute(model, x):
    return keras.ops.convert_to_numpy(model(x))


def randomize(model, seed=0):
    """Give every weight values that no other weight has."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    return model


def assert_same(one, other):
    for a, b, weight in zip(values(one), values(other), one.weights, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=weight.path)


def lenet(**arguments):
    return cnnblocks.create("lenet", **arguments)


def of_all_blocks(tail=()):
    """A user's own model of all blocks, with automatic names."""
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            ConvBNRelu(4),
            ResnetBlock(4),
            ResnetBlock(8, 2),
            VGGBlock(2, 8, use_batch_norm=True),
            NiNBlock(8, 1),
            InceptionBlock(8, use_batch_norm=True),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5),
            *tail,
        ]
    )


# --- paths --------------------------------------------------------------------------------------


class Subclassed(keras.Model):
    """Attributes, lists, dicts, a nested model, a shared layer and a property."""

    def __init__(self):
        super().__init__()
        self.zeta = layers.Dense(4)
        self.alpha = layers.Dense(4)
        self.several = [layers.Dense(4), [layers.Dense(4)], layers.Dense(4)]
        self.named = {"b": layers.Dense(4), "a": layers.PReLU()}
        self.inner = keras.Sequential([layers.Dense(4), layers.BatchNormalization()])
        self.shared = self.zeta
        self.wrapped = layers.TimeDistributed(layers.Dense(4))

    @property
    def first(self):
        return self.several[0]

    def call(self, x):
        x = self.alpha(self.zeta(x))
        x = self.several[2](self.several[1][0](self.several[0](x)))
        x = self.inner(self.named["a"](self.named["b"](x)))
        return self.wrapped(keras.ops.expand_dims(x, 1))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 4)))
    return model


def nested():
    inputs = keras.Input((8, 8, 3))
    inner = keras.Sequential([layers.Conv2D(4, 3), layers.SeparableConv2D(4, 3)])
    features = layers.DepthwiseConv2D(3)(inner(inputs))
    head = keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(2, name="out")])
    return keras.Model(inputs, head(layers.LayerNormalization()(features)))


@pytest.mark.parametrize("make", [subclassed, nested, of_all_blocks, lenet])
def test_paths_are_those_that_keras_saves_by(make, tmp_path):
    model = make()
    model.compile("adam", "mse", metrics=["mae"])
    model.save_weights(tmp_path / "x.weights.h5")
    with h5py.File(tmp_path / "x.weights.h5") as file:
        saved = set()
        file.visititems(lambda n, item: saved.add(n) if isinstance(item, h5py.Dataset) else None)
    saved = {path for path in saved if not path.startswith(("optimizer", "_"))}
    ours = {
        f"{unit.path}/vars/{index}"
        for unit in model_structure(model).units
        for index in range(len(unit.shapes))
    }
    assert ours == {path for path in saved if "seed_generator" not in path}


@pytest.mark.parametrize(
    ("make", "ending"),
    [
        (subclassed, ".weights.h5"),
        (subclassed, ".weights.json"),
        (nested, ".weights.h5"),
        (of_all_blocks, ".weights.json"),
        (of_all_blocks, ".keras"),
    ],
)
def test_keras_3_files_load_by_path(make, ending, tmp_path):
    model, path = randomize(make()), tmp_path / f"x{ending}"
    if ending == ".keras":
        model.save(path)
    else:
        model.save_weights(path, max_shard_size=None if ending == ".weights.h5" else 1e-5)
    fresh = make()
    report = load_weights(fresh, path)
    assert report.complete and report.evidence == ["path"]
    assert_same(model, fresh)


# --- blocks in Keras' own legacy files ----------------------------------------------------------


@cache
def two_models_of_all_blocks():
    return of_all_blocks(), of_all_blocks()


@settings(max_examples=6)
@given(data=st.data())
def test_our_blocks_survive_legacy_files_with_anything_frozen(data, tmp_path_factory):
    """Keras' own loader refuses these files, or loads wrong weights without an error."""
    model, fresh = two_models_of_all_blocks()
    randomize(model)
    for layer in model._flatten_layers(include_self=False):
        layer.trainable = True
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if layer.weights and not isinstance(layer, keras.Model):
            layer.trainable = data.draw(st.booleans(), label=layer.path)
    path = tmp_path_factory.mktemp("legacy") / "x.h5"
    model.save(path)
    randomize(fresh, seed=1)
    assert load_weights(fresh, path).complete
    assert_same(model, fresh)


def test_our_networks_survive_legacy_files(tmp_path):
    model = randomize(cnnblocks.create("resnet18", width=0.0625))
    model.get_layer("stage2_block1").conv1.trainable = False
    model.save(tmp_path / "x.h5")
    fresh = cnnblocks.create("resnet18", width=0.0625)
    report = load_weights(fresh, tmp_path / "x.h5")
    assert report.complete and report.evidence == ["name"]
    assert_same(model, fresh)


# --- other people's Keras 3 models --------------------------------------------------------------


def inception_branch_by_branch(x, widths):
    c1, c2, c3, c4 = widths

    def conv(y, filters, size):
        return layers.Conv2D(filters, size, padding="same", activation="relu")(y)

    first = conv(x, c1, 1)
    second = conv(conv(x, c2[0], 1), c2[1], 3)
    third = conv(conv(x, c3[0], 1), c3[1], 5)
    fourth = conv(layers.MaxPooling2D(3, 1, padding="same")(x), c4, 1)
    return layers.Concatenate()([first, second, third, fourth])


@pytest.mark.parametrize("ending", [".weights.h5", ".h5"])
def test_functional_branches_load_in_order_of_creation(ending, tmp_path):
    """Functional models hold parallel layers in another order than they were made in."""

    def make(block):
        inputs = keras.Input((8, 8, 4))
        x = layers.Rescaling(2.0)(inputs) if block is inception_branch_by_branch else inputs
        for _ in range(2):
            x = block(x, (4, (4, 4), (4, 4), 4))
            x = layers.Conv2D(4, 1)(x)
        return keras.Model(inputs, x)

    theirs = randomize(make(inception_branch_by_branch))
    ours = make(lambda x, widths: InceptionBlock(widths)(x))
    path = tmp_path / f"x{ending}"
    (theirs.save_weights if ending == ".weights.h5" else theirs.save)(path)
    report = load_weights(ours, path)
    assert report.complete and report.evidence == ["order of creation"]
    x = np.random.default_rng(0).random((2, 8, 8, 4), dtype="float32")
    np.testing.assert_allclose(compute(ours, 2 * x), compute(theirs, x), rtol=1e-5)


@pytest.mark.parametrize(
    ("network", "style"),
    [("resnet18", "subclassed"), ("vgg11", "nested")],
)
def test_the_courses_code_run_under_keras_3(network, style, tmp_path):
    variant = Variant(network, style, (32, 32, 1))
    theirs = of_style(keras, variant)
    x = np.random.default_rng(0).random((1, 32, 32, 1), dtype="float32")
    theirs(x)
    randomize(theirs)
    theirs.save_weights(tmp_path / "x.weights.h5")
    ours = cnnblocks.create(network, **variant.arguments)
    report = load_weights(ours, tmp_path / "x.weights.h5")
    assert report.complete and report.evidence == ["order of creation"]
    np.testing.assert_allclose(compute(ours, x), compute(theirs, x), rtol=1e-4, atol=1e-6)


def test_plain_layers_beside_each_other_are_not_guessed(tmp_path):
    """Named branches of a Functional model: no order in which they were made is known."""

    def make(*names):
        inputs = keras.Input((4, 4, 2))
        stem = layers.Conv2D(2, 1, name=names[0])(inputs)
        sides = [layers.Conv2D(2, 1, name=name)(stem) for name in names[1:3]]
        return keras.Model(inputs, layers.Conv2D(2, 1, name=names[3])(layers.Add()(sides)))

    theirs = randomize(make(None, None, None, None))
    theirs.save_weights(tmp_path / "x.weights.h5")
    ours = make("stem", "left", "right", "out")
    stem, left, right, out = (unit.place for unit in model_structure(ours).units)
    assert stem < left == right < out
    assert load_weights(ours, tmp_path / "x.weights.h5", match="path").complete
    with pytest.raises(AmbiguousWeightsError, match="left, right"):
        load_weights(ours, tmp_path / "x.weights.h5", match="order")


def test_layers_named_by_hand_without_order_are_refused(tmp_path):
    """A subclassed model with equal layers under names of its own: nothing tells which is which."""

    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.apple = layers.Dense(4, name="apple")
            self.pear = layers.Dense(4, name="pear")

        def call(self, x):
            return self.apple(self.pear(x))

    theirs = Two()
    theirs(np.zeros((1, 4)))
    theirs.save_weights(tmp_path / "x.weights.h5")
    ours = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Dense(4)])
    before = values(ours)
    with pytest.raises(AmbiguousWeightsError) as caught:
        load_weights(ours, tmp_path / "x.weights.h5")
    assert "apple" in str(caught.value) and "pear" in str(caught.value)
    assert caught.value.report.ambiguous[0].shapes == "kernel (4, 4), bias (4,)"
    for old, now in zip(before, values(ours)):
        np.testing.assert_array_equal(old, now)


def keras_2_file(path, model, backend="tensorflow"):
    """Write a model's weights as Keras 2 does, without classes: names alone tell."""
    with h5py.File(path, "w") as file:
        holders = [layer for layer in model.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in holders]
        file.attrs["backend"] = backend
        for layer in holders:
            group = file.create_group(layer.name)
            named = {f"{layer.name}/{weight.name}:0": weight for weight in layer.weights}
            group.attrs["weight_names"] = [name.encode() for name in named]
            for name, weight in named.items():
                group[name] = keras.ops.convert_to_numpy(weight)


def of_named_layers(kind=layers.Conv2DTranspose, norm=layers.LayerNormalization):
    image = keras.Input((4, 4, 3))
    x = norm(name="norm1")(kind(3, 2, name="up1")(image))
    return keras.Model(image, layers.Conv2D(3, 1, name="last")(x))


def test_a_common_name_outweighs_a_class_guessed_from_shapes(tmp_path):
    theirs = randomize(of_named_layers())
    keras_2_file(tmp_path / "x.h5", theirs)
    ours = of_named_layers()
    report = load_weights(ours, tmp_path / "x.h5")
    assert report.complete and report.evidence == ["name"]
    assert_same(theirs, ours)


def test_a_common_name_does_not_outweigh_a_class_that_is_known(tmp_path):
    theirs = of_named_layers(layers.Conv2D)
    theirs.save(tmp_path / "x.h5")
    theirs.save_weights(tmp_path / "x.weights.h5")
    for name in ("x.h5", "x.weights.h5"):
        with pytest.raises(WeightsMismatchError, match="up1"):
            load_weights(of_named_layers(), tmp_path / name, match="name")


def test_a_common_name_with_other_shapes_is_refused(tmp_path):
    keras_2_file(tmp_path / "x.h5", of_named_layers(norm=layers.BatchNormalization))
    with pytest.raises(WeightsMismatchError, match="norm1"):
        load_weights(of_named_layers(), tmp_path / "x.h5")


@pytest.mark.parametrize("sequential", [False, True], ids=["functional", "sequential"])
def test_a_layer_beside_the_graph_loads_too(sequential, tmp_path):
    def make():
        body = [keras.Input((3,)), layers.Dense(4), layers.Dense(2)]
        model = keras.Sequential(body)
        model = model if sequential else keras.Model(model.inputs[0], model.outputs[0])
        model.auxiliary = layers.Dense(5)
        model.auxiliary.build((None, 4))
        return model

    theirs, ours = randomize(make()), make()
    theirs.save_weights(tmp_path / "x.weights.h5")
    assert len(model_structure(theirs).units) == 3
    assert load_weights(ours, tmp_path / "x.weights.h5").complete
    assert_same(theirs, ours)


# --- not fitting --------------------------------------------------------------------------------


def test_another_number_of_classes(tmp_path):
    source = randomize(lenet(num_classes=10))
    path = tmp_path / "x.weights.h5"
    source.save_weights(path)
    model = lenet(num_classes=3)
    before = values(model)
    with pytest.raises(WeightsMismatchError, match=r"classifier.*load_weights\(.*strict=False\)"):
        load_weights(model, path)
    for old, now in zip(before, values(model)):
        np.testing.assert_array_equal(old, now)

    report = load_weights(model, path, strict=False)
    assert [entry.layer for entry in report.skipped] == ["classifier"]
    assert len(report.loaded) == 4
    for new, old in zip(values(model)[:8], values(source)[:8], strict=True):
        np.testing.assert_array_equal(new, old)
    for new, old in zip(values(model)[8:], before[8:], strict=True):
        np.testing.assert_array_equal(new, old)
    told = str(report)
    assert "skipped     1 layer" in told and "(84, 10)" in told and "(84, 3)" in told


def test_features_without_the_head(tmp_path):
    source = randomize(lenet())
    source.save(tmp_path / "x.h5")
    model = lenet(include_top=False)
    with pytest.raises(WeightsMismatchError, match="left over"):
        load_weights(model, tmp_path / "x.h5")
    report = load_weights(model, tmp_path / "x.h5", strict=False)
    assert len(report.left_over) == 3 and not report.missing
    for new, old in zip(values(model), values(source)):
        np.testing.assert_array_equal(new, old)


def test_a_file_of_another_network_changes_nothing(tmp_path):
    randomize(of_all_blocks()).save_weights(tmp_path / "x.weights.h5")
    model = lenet()
    before = values(model)
    with pytest.raises(WeightsMismatchError, match="fits lenet nowhere"):
        load_weights(model, tmp_path / "x.weights.h5", strict=False)
    for old, now in zip(before, values(model)):
        np.testing.assert_array_equal(old, now)


def test_values_that_cannot_be_read_change_nothing(tmp_path):
    source = randomize(lenet())
    path = tmp_path / "x.h5"
    source.save(path)
    with h5py.File(path, "r+") as file:
        dense = file["model_weights/classifier/classifier"]
        kernel = dense["kernel"][...]
        del dense["kernel"]
        dense.create_dataset("kernel", data=kernel, chunks=kernel.shape, compression="gzip")
        chunk = dense["kernel"].id.get_chunk_info(0)
    with path.open("r+b") as stream:
        stream.seek(chunk.byte_offset)
        stream.write(b"\xff" * chunk.size)
    model = lenet()
    before = values(model)
    with pytest.raises(WeightFileError):
        load_weights(model, path)
    for old, now in zip(before, values(model)):
        np.testing.assert_array_equal(old, now)


def test_arguments_are_checked(tmp_path):
    randomize(lenet()).save_weights(tmp_path / "x.weights.h5")
    with pytest.raises(ValueError, match="call it on an image"):
        load_weights(keras.Sequential([layers.Dense(2)]), tmp_path / "x.weights.h5")
    with pytest.raises(ValueError, match="match must be one of 'auto', 'path', 'name', 'order'"):
        load_weights(lenet(), tmp_path / "x.weights.h5", match="guess")


# --- values -------------------------------------------------------------------------------------


def test_nan_loads_and_casts_are_told(tmp_path):
    source = randomize(lenet())
    source.weights[1].assign(np.full(6, np.nan))
    source.save_weights(tmp_path / "x.weights.h5")
    model = lenet(dtype="float16")
    report = load_weights(model, tmp_path / "x.weights.h5")
    assert report.loaded[0].cast == ("float32", "float16")
    assert report.notes == ["values were cast from float32 to float16"]
    assert np.isnan(values(model)[1]).all()


def test_kernels_of_theano_are_refused(tmp_path):
    model = lenet()
    keras_2_file(tmp_path / "x.h5", model, backend="theano")
    before = values(model)
    with pytest.raises(WeightFileError, match="Theano, whose convolutions run the other way"):
        load_weights(model, tmp_path / "x.h5")
    for old, now in zip(before, values(model)):
        np.testing.assert_array_equal(old, now)


def test_layers_without_kernels_load_from_theano(tmp_path):
    def make():
        return keras.Sequential([keras.Input((3,)), layers.Dense(2, name="first")])

    theirs, ours = randomize(make()), make()
    keras_2_file(tmp_path / "x.h5", theirs, backend="theano")
    assert load_weights(ours, tmp_path / "x.h5").complete
    assert_same(theirs, ours)


def test_create_takes_weights(tmp_path):
    source = randomize(lenet())
    source.save(tmp_path / "x.h5")
    assert_same(source, lenet(weights=tmp_path / "x.h5"))


def test_report_as_json(tmp_path):
    randomize(lenet()).save_weights(tmp_path / "x.weights.h5")
    report = load_weights(lenet(num_classes=3), tmp_path / "x.weights.h5", strict=False)
    found = json.loads(json.dumps(report.to_json()))
    assert found["schema"] == 1 and not found["complete"]
    assert found["evidence"] == ["path"]
    assert found["loaded"][0] == {
        "layer": "stage1_conv",
        "source": "stage1_conv",
        "weights": ["kernel", "bias"],
        "by": "path",
        "cast": None,
    }
    assert found["skipped"][0]["layer"] == "classifier"


# --- optimizer ----------------------------------------------------------------------------------


def compiled(optimizer):
    model = lenet(input_shape=(16, 16, 1), units=(6, 5), activation="relu")
    if optimizer is not None:
        model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    return model


def with_state(folder):
    """A model with an Adam whose every variable has values of its own, and its file."""
    model = compiled("adam")
    model.optimizer.build(model.trainable_variables)
    generator = np.random.default_rng(0)
    for variable in model.optimizer.variables[2:]:
        variable.assign(generator.random(variable.shape))
    model.optimizer.iterations.assign(7)
    path = folder / "x.weights.h5"
    model.save_weights(path)
    return model, path


def test_optimizer_state_is_carried_over(tmp_path):
    model, path = with_state(tmp_path)
    fresh = compiled("adam")
    report = load_weights(fresh, path)
    assert report.optimizer == "carried over (22 variables of adam)"
    images = np.random.default_rng(0).random((8, 16, 16, 1), dtype="float32")
    losses = [one.train_on_batch(images, np.arange(8)) for one in (model, fresh)]
    assert losses[0] == losses[1]
    assert_same(model, fresh)


@pytest.mark.parametrize(
    ("optimizer", "told"),
    [
        (keras.optimizers.RMSprop, "it is the state of adam, the model has rm_sprop"),
        (lambda: keras.optimizers.Adam(amsgrad=True), "its variables differ"),
        (lambda: None, "the model is not compiled"),
    ],
    ids=["another", "other arguments", "none"],
)
def test_optimizer_state_that_keras_cannot_take_is_ignored(optimizer, told, tmp_path):
    model, path = with_state(tmp_path)
    fresh = compiled(optimizer())
    report = load_weights(fresh, path)
    assert report.optimizer.startswith(f"ignored: {told}")
    assert_same(model, fresh)


def test_weights_room_stays_without_keras():
    """Only a call of `load_weights` brings Keras in; what leads there does not."""
    script = (
        "import sys, cnnblocks.weights as w; w.identify, w.plan, w.load_weights; "
        "sys.exit(any(m in sys.modules for m in ('keras', 'tensorflow', 'torch', 'jax')))"
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=120, check=False)
    assert done.returncode == 0
    assert weights.load_weights is load_weights
