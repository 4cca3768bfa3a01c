import keras
import numpy as np
import pytest
from keras import layers

import cnnblocks
from cnnblocks import networks

TRAINING_ONLY = (layers.BatchNormalization, layers.Dropout)


def assert_folded(model, images, compute, left=()):
    """Fold `model`, compare outputs, and return the folded model."""
    folded = cnnblocks.fold_batch_norm(model)
    np.testing.assert_allclose(compute(folded, images), compute(model, images), atol=1e-5)
    kept = [layer.name for layer in folded.layers if isinstance(layer, TRAINING_ONLY)]
    assert kept == list(left)
    return folded


@pytest.mark.parametrize("name", networks.list_networks())
def test_every_network_folds(name, small_network, fill_weights, images_for, compute):
    model = fill_weights(small_network(name))
    folded = assert_folded(model, images_for(model), compute)
    assert all(type(layer).__module__.startswith("keras") for layer in folded.layers)
    assert np.ptp(compute(model, images_for(model))) > 1e-4


def test_the_model_is_left_as_it_was(small_network, fill_weights, images_for, compute):
    model = fill_weights(small_network("resnet18"))
    before, config = compute(model, images_for(model)), model.get_config()
    cnnblocks.fold_batch_norm(model)
    np.testing.assert_array_equal(compute(model, images_for(model)), before)
    assert model.get_config() == config


def test_a_folded_model_loads_without_this_package(
    small_network, fill_weights, images_for, compute, tmp_path
):
    model = fill_weights(small_network("inception10"))
    cnnblocks.fold_batch_norm(model).save(tmp_path / "folded.keras")
    assert b"cnnblocks>" not in (tmp_path / "folded.keras").read_bytes()
    loaded = keras.models.load_model(tmp_path / "folded.keras")
    x = images_for(model)
    np.testing.assert_allclose(compute(loaded, x), compute(model, x), atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3, use_bias=False),
        layers.Conv2D(4, 3, strides=2, groups=2, dilation_rate=1),
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        layers.SeparableConv2D(5, 3, depth_multiplier=2),
        layers.Conv2DTranspose(5, 3, use_bias=False),
        layers.Dense(5),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("norm", [{}, {"scale": False}, {"center": False, "epsilon": 0.1}])
def test_plain_layers_fold(layer, norm, fill_weights, images_for, compute):
    fresh = type(layer).from_config(layer.get_config())
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), fresh, layers.BatchNormalization(**norm), layers.ReLU()]
    )
    assert_folded(fill_weights(model), images_for(model), compute)


def test_channels_first_folds(fill_weights, images_for):
    arguments = {"data_format": "channels_first"}
    model = keras.Sequential(
        [
            keras.Input((2, 6, 6)),
            layers.Conv2D(3, 3, **arguments),
            layers.BatchNormalization(axis=1),
            layers.GlobalAveragePooling2D(**arguments),
        ]
    )
    folded = cnnblocks.fold_batch_norm(fill_weights(model))
    for each in (model, folded):
        each.compile(jit_compile=keras.config.backend() == "tensorflow")
    x = images_for(model)
    np.testing.assert_allclose(folded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)
    assert not any(isinstance(layer, TRAINING_ONLY) for layer in folded.layers)


def branching_model():
    """Batch normalization in every place where it cannot be folded, and in some where it can."""
    images = keras.Input((6, 6, 2))
    inner = keras.Sequential(
        [layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization(), layers.Dropout(0.5)],
        name="inner",
    )
    x = layers.BatchNormalization(name="after_nothing")(images)
    x = inner(x)
    y = layers.Conv2D(4, 1, activation="relu")(x)
    y = layers.BatchNormalization(name="after_activation")(y)
    z = layers.Conv2D(4, 1, name="used_twice")(x)
    z = layers.Add()([z, layers.BatchNormalization(name="beside_another_use")(z)])
    w = layers.Conv2D(4, 1)(z)
    w = layers.BatchNormalization(axis=1, name="over_another_axis")(w)
    out = keras.ops.multiply(keras.ops.tanh(y), w)
    return keras.Model(images, {"joined": out, "inner": x})


def test_what_cannot_be_folded_stays(fill_weights, images_for):
    model = fill_weights(branching_model())
    folded = cnnblocks.fold_batch_norm(model)
    x = images_for(model)
    expected, found = model(x, training=False), folded(x, training=False)
    for name, values in expected.items():
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(found[name]),
            keras.ops.convert_to_numpy(values),
            atol=1e-5,
        )
    kept = {layer.name for layer in folded.layers if isinstance(layer, TRAINING_ONLY)}
    assert kept == {
        *("after_nothing", "after_activation", "beside_another_use", "over_another_axis"),
    }


def test_what_cannot_be_folded_of_a_block_becomes_layers_of_keras(
    fill_weights, images_for, compute
):
    inputs = keras.Input((6, 6, 3))
    shared = cnnblocks.ConvBNRelu(3, name="shared")
    model = fill_weights(keras.Model(inputs, shared(shared(inputs))))
    folded = assert_folded(model, images_for(model), compute, left=["shared_batch_norm"])
    assert all(type(layer).__module__.startswith("keras") for layer in folded.layers)


def test_a_layer_called_twice_stays_shared(fill_weights, images_for, compute):
    images = keras.Input((6, 6, 2))
    conv, norm = layers.Conv2D(2, 3, padding="same"), layers.BatchNormalization(name="shared")
    model = keras.Model(images, norm(conv(norm(conv(images)))))
    folded = assert_folded(fill_weights(model), images_for(model), compute, left=["shared"])
    assert len(folded.weights) == len(model.weights)


def test_a_block_in_a_nested_model_folds(fill_weights, images_for, compute):
    backbone = cnnblocks.create("inception10", (16, 16, 2), include_top=False, width=0.25)
    model = keras.Sequential(
        [backbone, layers.GlobalMaxPooling2D(), layers.Dense(3), layers.BatchNormalization()]
    )
    folded = assert_folded(fill_weights(model), images_for(model), compute)
    assert not any(isinstance(layer, keras.Model) for layer in folded.layers)


def test_frozen_statistics_fold_too(small_network, fill_weights, images_for, compute):
    model = fill_weights(small_network("inception10", freeze_statistics=True))
    assert_folded(model, images_for(model), compute)


def test_numbers_are_added_as_they_are(fill_weights, images_for, compute):
    images = keras.Input((6, 6, 2))
    x = layers.BatchNormalization()(layers.Conv2D(2, 3)(images))
    x = 2.0 + (x + 1.0) + np.float32([0.5, 1.5])
    model = keras.Model(images, x + keras.ops.mean(x, axis=(0, 1, 2)))
    assert_folded(fill_weights(model), images_for(model), compute)


def test_no_two_layers_get_one_name(fill_weights, images_for, compute):
    images = keras.Input((6, 6, 2))
    x = layers.Conv2D(2, 1, name="conv")(images)
    sums = [layers.Add(name=name)([x, x]) for name in ("add", "add_2")]
    x = layers.BatchNormalization()(sums[0] + sums[1])
    inner = keras.Sequential([layers.BatchNormalization(), layers.Dense(2, name="b")], name="a")
    model = keras.Model(images, layers.Dense(2, name="a_b")(inner(x + sums[0])))
    folded = cnnblocks.fold_batch_norm(fill_weights(model))
    np.testing.assert_allclose(
        compute(folded, images_for(model)), compute(model, images_for(model)), atol=1e-4
    )
    names = {layer.name for layer in folded.layers}
    assert {"conv", "add", "add_2", "a_b"} < names and len(names) == len(folded.layers)


def test_a_model_without_batch_norm_is_the_same(fill_weights, images_for, compute):
    model = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(2, 3), layers.Flatten()])
    folded = assert_folded(fill_weights(model), images_for(model), compute)
    assert [w.shape for w in folded.weights] == [w.shape for w in model.weights]


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    "model", [Subclassed(name="mine"), keras.Sequential([layers.Dense(1)], name="mine")]
)
def test_other_models_are_refused(model):
    with pytest.raises(networks.NetworkError, match=r"functional or sequential.*mine"):
        cnnblocks.fold_batch_norm(model)
