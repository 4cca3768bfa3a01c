"""What holds of every block: how it is saved, copied, frozen and computed."""

import json

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase


@pytest.fixture
def leaky_case(case):
    """The same block with arguments that are objects instead of names."""
    return {
        "activation": keras.layers.LeakyReLU(0.1),
        "kernel_initializer": keras.initializers.HeNormal(seed=3),
        "kernel_regularizer": keras.regularizers.L2(1e-3),
    }


def test_keras_own_layer_test_passes(case):
    block = case.block()
    block.build((None, *case.image_shape))
    TestCase().run_layer_test(
        type(block),
        init_kwargs=case.arguments,
        input_shape=(2, *case.image_shape),
        expected_output_shape=block.compute_output_shape((2, *case.image_shape)),
        expected_num_trainable_weights=len(block.trainable_weights),
        expected_num_non_trainable_weights=len(block.non_trainable_weights),
        expected_num_losses=0,
        supports_masking=False,
    )


def test_config_round_trip_is_exact(case, leaky_case):
    for arguments in ({}, leaky_case):
        block = case.block(**arguments)
        copy = type(block).from_config(block.get_config())
        assert copy.get_config() == block.get_config()


def test_config_holds_every_argument_with_its_value(case):
    config = case.block(name="mine", trainable=False, dtype="mixed_bfloat16").get_config()
    for name, value in case.arguments.items():
        if name in ("kernel_size", "strides"):
            value = value if isinstance(value, tuple) else (value, value)
        if name == "filters" and case.kind == "InceptionBlock" and isinstance(value, int):
            value = (value, (value, value), (value, value), value)
        assert config[name] == value
    assert (config["name"], config["trainable"]) == ("mine", False)
    assert config["dtype"]["config"]["name"] == "mixed_bfloat16"


def test_model_survives_json(case, leaky_case, randomize, to_numpy):
    model = randomize(case.model(**leaky_case))
    copy = keras.models.model_from_json(model.to_json())
    copy.set_weights(model.get_weights())
    assert json.loads(copy.to_json()) == json.loads(model.to_json())
    images = case.images()
    np.testing.assert_array_equal(to_numpy(copy(images)), to_numpy(model(images)))


def test_reloading_under_the_other_global_data_format_changes_nothing(
    case, tmp_path, randomize, to_numpy, request
):
    model = randomize(case.model())
    images = case.images()
    expected = to_numpy(model(images))
    model.save(tmp_path / "model.keras")
    request.getfixturevalue("channels_first")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].get_config() == model.layers[0].get_config()
    np.testing.assert_array_equal(to_numpy(loaded(images)), expected)


def test_data_format_comes_from_the_global_one_and_reaches_every_sublayer(case, channels_first):
    block = case.block()
    assert block.get_config()["data_format"] == "channels_first"
    for layer in block._flatten_layers(include_self=False):
        assert getattr(layer, "data_format", "channels_first") == "channels_first"


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".h5"])
def test_weights_survive_a_file(case, suffix, tmp_path, randomize, to_numpy):
    model = randomize(case.model())
    images = case.images()
    path = tmp_path / f"saved{suffix}"
    if suffix == ".weights.h5":
        model.save_weights(path)
        loaded = case.model()
        loaded.load_weights(path)
    else:
        model.save(path)
        loaded = keras.models.load_model(path)
    for before, after in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(after), to_numpy(before), err_msg=before.path)
    np.testing.assert_array_equal(to_numpy(loaded(images)), to_numpy(model(images)))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_frozen_block_stays_frozen_in_a_file(case, suffix, tmp_path, randomize, to_numpy):
    model = randomize(case.model())
    model.layers[0].trainable = False
    model.save(tmp_path / f"saved{suffix}")
    loaded = keras.models.load_model(tmp_path / f"saved{suffix}")
    assert not loaded.layers[0].trainable
    assert loaded.trainable_weights == []
    images = case.images()
    np.testing.assert_array_equal(to_numpy(loaded(images)), to_numpy(model(images)))


def test_a_block_frozen_from_the_start_keeps_its_moving_statistics(case, randomize, to_numpy):
    block = case.block(trainable=False)
    images = case.images()
    block(images)
    assert block.trainable_variables == []
    before = [to_numpy(weight) for weight in randomize(block).weights]
    block(images, training=True)
    for value, weight in zip(before, block.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), value, err_msg=weight.path)


def test_thawing_a_block_thaws_all_of_it(case):
    block = case.block(trainable=False)
    block.build((None, *case.image_shape))
    block.trainable = True
    free = case.block()
    free.build((None, *case.image_shape))
    assert len(block.trainable_variables) == len(free.trainable_variables) > 0


def test_a_block_works_in_every_kind_of_model(case, randomize, to_numpy):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.block = case.block()

        def call(self, inputs, training=None):
            return self.block(inputs, training=training)

    images = case.images()
    sequential = randomize(case.model())
    expected = to_numpy(sequential(images))
    inputs = keras.Input(case.image_shape)
    functional = keras.Model(inputs, case.block()(inputs))
    subclassed = Subclassed()
    subclassed(images)
    clone = keras.models.clone_model(functional)
    for model in (functional, subclassed, clone):
        model.set_weights(sequential.get_weights())
        np.testing.assert_array_equal(to_numpy(model(images)), expected)


def test_building_makes_everything(case):
    block = case.block()
    block.build((None, *case.image_shape))
    paths = [weight.path for weight in block.weights]
    assert all(layer.built for layer in block._flatten_layers())
    block(case.images())
    assert [weight.path for weight in block.weights] == paths
    assert len(set(paths)) == len(paths)
    assert all(path.startswith(f"{block.name}/") for path in paths)


def test_equal_shaped_kernels_start_differently(case, to_numpy):
    block = case.block()
    block.build((None, *case.image_shape))
    kernels = [to_numpy(w) for w in block.weights if w.path.endswith("/kernel")]
    for index, kernel in enumerate(kernels):
        for other in kernels[index + 1 :]:
            assert kernel.shape != other.shape or not np.array_equal(kernel, other)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_reaches_every_sublayer(case, policy):
    block = case.block(dtype=policy, activation=keras.layers.LeakyReLU(0.1))
    output = block(case.images())
    assert keras.backend.standardize_dtype(output.dtype) == block.compute_dtype
    symbolic = block(keras.KerasTensor((None, *case.image_shape)))
    assert symbolic.dtype == block.compute_dtype == policy.removeprefix("mixed_")
    for layer in block._flatten_layers():
        assert layer.dtype_policy.name == policy, layer.path
    assert {weight.dtype for weight in block.weights} == {"float32"}


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no float64 by default")
def test_float64_reaches_every_weight(case):
    block = case.block(dtype="float64")
    output = block(case.images())
    assert keras.backend.standardize_dtype(output.dtype) == "float64"
    assert {weight.dtype for weight in block.weights} == {"float64"}


def test_regularizer_is_on_every_kernel_and_on_nothing_else(case, to_numpy):
    block = case.block(kernel_regularizer=keras.regularizers.L2(0.5))
    block(case.images())
    kernels = [to_numpy(w) for w in block.weights if w.path.endswith("/kernel")]
    assert len(block.losses) == len(kernels)
    expected = sum(0.5 * np.sum(np.square(kernel)) for kernel in kernels)
    np.testing.assert_allclose(sum(float(loss) for loss in block.losses), expected, rtol=1e-5)


def test_every_parameter_gets_a_finite_gradient_that_is_not_always_zero(case, to_numpy):
    keras.utils.set_random_seed(1)
    learning_rate = 100.0
    model = case.model(activation="gelu")
    model.compile(keras.optimizers.SGD(learning_rate), "mse", run_eagerly=True)
    before = model.get_weights()
    largest = {weight.path: np.zeros(weight.shape) for weight in model.trainable_weights}
    for seed in range(6):
        images = case.images(seed, count=8)
        targets = np.random.default_rng(seed).normal(size=model.compute_output_shape(images.shape))
        model.train_on_batch(images, targets)
        for weight, value in zip(model.weights, before, strict=True):
            gradient = (value - to_numpy(weight)) / learning_rate
            assert np.isfinite(gradient).all(), weight.path
            if weight.path in largest:
                largest[weight.path] = np.maximum(largest[weight.path], np.abs(gradient))
        model.set_weights(before)
    for path, gradient in largest.items():
        if _is_bias_before_normalization(path, model.layers[0]):
            assert gradient.max() < 1e-6, path
        else:
            assert gradient.min() > 0, path


def _is_bias_before_normalization(path, block):
    layers = block._flatten_layers()
    normalized = any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)
    return path.endswith("/bias") and normalized and not block.freeze_statistics


def test_channels_first_computes_the_same(case, randomize, to_numpy):
    jit_compile = True if keras.backend.backend() == "tensorflow" else "auto"
    last = randomize(case.model())
    height, width, channels = case.image_shape
    first = keras.Sequential(
        [keras.Input((channels, height, width)), case.block(data_format="channels_first")]
    )
    first.set_weights(last.get_weights())
    first.compile(jit_compile=jit_compile)
    images = case.images()
    output = first.predict_on_batch(images.transpose(0, 3, 1, 2))
    expected = to_numpy(last(images))
    np.testing.assert_allclose(output.transpose(0, 2, 3, 1), expected, rtol=1e-4, atol=1e-4)


def test_a_layer_with_weights_is_no_activation(case):
    with pytest.raises(ValueError, match=r"without weights\. Received: activation=<PReLU"):
        case.block(activation=keras.layers.PReLU())


def test_a_registered_function_is_an_activation(case):
    @keras.saving.register_keras_serializable(package="tests")
    def squared_relu(x):
        return keras.ops.square(keras.ops.relu(x))

    block = case.block(activation=squared_relu)
    copy = type(block).from_config(json.loads(json.dumps(block.get_config())))
    assert copy.activation is squared_relu


@pytest.mark.parametrize("shape", [(None, 8, 3), (None, 8, 8), (8, 8, 3, 3, 3)])
def test_what_is_no_batch_of_images_is_refused(case, shape):
    block = case.block()
    message = rf"{case.kind} expects a batch of images, a shape of 4 dimensions\. Received:"
    for method in (block.compute_output_shape, block.build):
        with pytest.raises(ValueError, match=message):
            method(shape)


def test_unknown_channels_are_refused(case):
    block = case.block()
    for method in (block.compute_output_shape, block.build):
        with pytest.raises(ValueError, match=rf"{case.kind} must know the number of channels"):
            method((None, 8, 8, None))
