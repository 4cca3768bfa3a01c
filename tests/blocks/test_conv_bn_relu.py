import keras
import numpy as np
import pytest

import cnnblocks


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(6, 9, 7, 3)).astype("float32")


def plain_layers():
    """The same computation written out in plain Keras."""
    return keras.Sequential(
        [
            keras.layers.Conv2D(4, (5, 3), strides=2, padding="valid"),
            keras.layers.BatchNormalization(momentum=0.8, epsilon=1e-2),
            keras.layers.ReLU(),
        ]
    )


def block():
    return cnnblocks.ConvBNRelu(
        4,
        (5, 3),
        strides=2,
        padding="valid",
        use_bias=True,
        batch_norm_momentum=0.8,
        batch_norm_epsilon=1e-2,
    )


@pytest.mark.parametrize("training", [False, True])
def test_it_is_convolution_normalization_activation(images, training, randomize, to_numpy):
    layers, ours = plain_layers(), block()
    layers.build(images.shape)
    ours.build(images.shape)
    ours.set_weights(randomize(layers).get_weights())
    assert_close(
        to_numpy(ours(images, training=training)), to_numpy(layers(images, training=training))
    )
    for ours_weight, weight in zip(ours.weights, layers.weights, strict=True):
        assert_close(to_numpy(ours_weight), to_numpy(weight))


def assert_close(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def two_models(filters=16, data_format="channels_last", dtype="float32", size=(8, 6)):
    """A block and the same in plain Keras, with equal weights."""
    arguments = {"data_format": data_format, "dtype": dtype}
    axis = -1 if data_format == "channels_last" else 1
    inputs = keras.Input((*size, 3) if axis == -1 else (3, *size))
    x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, **arguments)(inputs)
    x = keras.layers.BatchNormalization(axis, momentum=0.8, epsilon=1e-6, dtype=dtype)(x)
    plain = keras.Model(inputs, keras.layers.ReLU(dtype=dtype)(x))
    block = cnnblocks.ConvBNRelu(
        filters, batch_norm_momentum=0.8, batch_norm_epsilon=1e-6, **arguments
    )
    ours = keras.Model(inputs, block(inputs))
    ours.set_weights(plain.get_weights())
    return ours, plain


@pytest.mark.parametrize(
    ("data_format", "jit_compile"),
    [("channels_last", False), ("channels_last", True), ("channels_first", False)],
)
@pytest.mark.parametrize("filters", [5, 16])
def test_it_trains_as_the_plain_layers_do(filters, data_format, jit_compile):
    assert_train_alike(two_models(filters, data_format), jit_compile)


@pytest.mark.parametrize("size", [(1, 1), (9, 7), (None, None)])
def test_it_trains_as_the_plain_layers_do_at_any_size(size):
    assert_train_alike(two_models(5, size=size))


def assert_train_alike(models, jit_compile=False):
    rng = np.random.default_rng(0)
    inner, outer = (model.shape for model in (models[0].input, models[0].output))
    shapes = [[6, *(size or 10 for size in shape[1:])] for shape in (inner, outer)]
    for model in models:
        model.compile(keras.optimizers.SGD(0.5), "mse", jit_compile=jit_compile)
    for _ in range(5):
        batch = [rng.normal(size=shape) for shape in shapes]
        losses = [model.train_on_batch(*batch) for model in models]
        assert_close(*losses)
    for ours, expected in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16", "float64"])
@pytest.mark.parametrize("filters", [5, 16])
@pytest.mark.parametrize("count", [1, 6])
def test_its_moving_statistics_are_those_of_the_plain_layers(count, filters, dtype, to_numpy):
    images = np.random.default_rng(0).normal(3.0, size=(count, 8, 6, 3))
    ours, plain = two_models(filters, dtype=dtype)
    outputs = [model(images, training=True) for model in (ours, plain)]
    assert len({keras.backend.standardize_dtype(output.dtype) for output in outputs}) == 1
    tolerance = {"rtol": 2e-2, "atol": 2e-2} if "mixed" in dtype else {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(
        *(to_numpy(keras.ops.cast(o, "float32")) for o in outputs), **tolerance
    )
    for weights in zip(ours.get_weights(), plain.get_weights(), strict=True):
        assert_close(*weights)


@pytest.mark.parametrize("filters", [5, 16])
def test_one_pixel_of_one_image_is_normalized_as_by_keras(filters, to_numpy):
    image = np.full((1, 1, 1, 3), 2.0, "float32")
    ours = cnnblocks.ConvBNRelu(filters, kernel_size=1, activation=None)
    np.testing.assert_array_equal(
        to_numpy(ours(image, training=True)), np.zeros((1, 1, 1, filters))
    )
    assert_close(to_numpy(ours.batch_norm.moving_variance), np.full(filters, 0.99))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(
    ("size", "kernel_size", "strides", "padding"),
    [
        ((1, 1), 3, 1, "same"),
        ((4, 4), 3, 1, "same"),
        ((8, 7), 3, 2, "same"),
        ((3, 5), (2, 5), (2, 1), "same"),
        ((5, 3), (3, 1), 1, "valid"),
        ((8, 8), 5, 2, "valid"),
        ((2, 2), 1, 1, "same"),
    ],
)
def test_many_channels_of_few_pixels_are_convolved_as_by_keras(
    size, kernel_size, strides, padding, dtype, to_numpy
):
    images = np.random.default_rng(0).normal(size=(2, *size, 256)).astype("float32")
    arguments = {"strides": strides, "padding": padding, "use_bias": False, "dtype": dtype}
    plain = keras.layers.Conv2D(256, kernel_size, **arguments)
    ours = cnnblocks.ConvBNRelu(256, kernel_size, batch_norm_epsilon=1e-7, **arguments)
    outputs = plain(images)
    ours.build(images.shape)
    ours.conv.set_weights(plain.get_weights())
    tolerance = 1e-4 if dtype == "float32" else 2e-2
    np.testing.assert_allclose(
        to_numpy(keras.ops.cast(ours(images), "float32")),
        to_numpy(keras.ops.relu(keras.ops.cast(outputs, "float32"))),
        rtol=tolerance,
        atol=tolerance,
    )


@pytest.mark.parametrize(
    ("size", "jit_compile"), [((2, 2), False), ((2, 2), True), ((8, 8), False)]
)
def test_it_trains_as_the_plain_layers_do_on_few_pixels(size, jit_compile):
    inputs = keras.Input((*size, 256))
    arguments = {"strides": 2, "padding": "same", "use_bias": False}
    x = keras.layers.Conv2D(256, 3, **arguments)(inputs)
    x = keras.layers.BatchNormalization(momentum=0.8, epsilon=1e-2)(x)
    plain = keras.Model(inputs, keras.layers.ReLU()(x))
    block = cnnblocks.ConvBNRelu(256, batch_norm_momentum=0.8, batch_norm_epsilon=1e-2, **arguments)
    ours = keras.Model(inputs, block(inputs))
    ours.set_weights(plain.get_weights())
    assert_train_alike((ours, plain), jit_compile)


@pytest.mark.parametrize(
    ("size", "strides", "jit_compile"),
    [
        ((8, 6), 1, False),
        ((8, 6), 2, False),
        ((8, 6), (1, 3), False),
        ((9, 6), 2, False),
        ((8, 6), 2, True),
        ((None, None), 1, False),
    ],
)
def test_it_trains_as_the_plain_layers_do_with_a_kernel_of_one_pixel(size, strides, jit_compile):
    """Below another layer, so that gradients by its input count, too."""
    inputs = keras.Input((*size, 3))
    first = {"kernel_size": 3, "padding": "same", "name": "first"}
    arguments = {"strides": strides, "padding": "same", "use_bias": True}
    x = keras.layers.Conv2D(8, **first)(inputs)
    x = keras.layers.Conv2D(12, 1, **arguments)(x)
    x = keras.layers.BatchNormalization(momentum=0.8, epsilon=1e-2)(x)
    plain = keras.Model(inputs, keras.layers.ReLU()(x))
    block = cnnblocks.ConvBNRelu(
        12, 1, batch_norm_momentum=0.8, batch_norm_epsilon=1e-2, **arguments
    )
    ours = keras.Model(inputs, block(keras.layers.Conv2D(8, **first)(inputs)))
    ours.set_weights(plain.get_weights())
    assert_train_alike((ours, plain), jit_compile)


def test_a_bias_that_is_normalized_away_stays_and_is_part_of_the_mean(images, to_numpy):
    ours = cnnblocks.ConvBNRelu(8, use_bias=True, batch_norm_momentum=0.5)
    model = keras.Sequential([keras.Input(images.shape[1:]), ours])
    ours.conv.bias.assign(np.arange(8.0) - 3)
    model.compile(keras.optimizers.Adam(0.0), "mse")
    target = np.ones((6, 9, 7, 8))
    convolved = to_numpy(ours.conv(images))
    model.train_on_batch(images, target)
    assert_close(to_numpy(ours.batch_norm.moving_mean), convolved.mean((0, 1, 2)) / 2)
    model.compile(keras.optimizers.SGD(0.5), "mse")
    model.train_on_batch(images, target)
    assert_close(to_numpy(ours.conv.bias), np.arange(8.0) - 3)


def test_it_has_no_bias_unless_asked():
    ours = cnnblocks.ConvBNRelu(8)
    ours.build((None, 9, 9, 3))
    assert ours.count_params() == 3 * 3 * 3 * 8 + 4 * 8
    assert [weight.name for weight in ours.conv.weights] == ["kernel"]


def test_activation_can_be_left_out(images, to_numpy):
    assert to_numpy(cnnblocks.ConvBNRelu(8, activation=None)(images)).min() < 0
    assert to_numpy(cnnblocks.ConvBNRelu(8)(images)).min() == 0


def test_frozen_statistics_stay_while_scale_and_offset_learn(images, randomize, to_numpy):
    model = keras.Sequential(
        [keras.Input(images.shape[1:]), cnnblocks.ConvBNRelu(4, freeze_statistics=True)]
    )
    norm = randomize(model).layers[0].batch_norm
    before = {weight.name: to_numpy(weight) for weight in norm.weights}
    np.testing.assert_array_equal(
        to_numpy(model(images, training=True)), to_numpy(model(images, training=False))
    )
    model.compile("sgd", "mse", run_eagerly=True)
    model.train_on_batch(images, np.ones(model.compute_output_shape(images.shape)))
    after = {weight.name: to_numpy(weight) for weight in norm.weights}
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"gamma", "beta"}


def test_statistics_move_in_training_otherwise(images, to_numpy):
    ours = cnnblocks.ConvBNRelu(4)
    ours(images, training=True)
    assert np.abs(to_numpy(ours.batch_norm.moving_mean)).max() > 0
    ours.trainable = False
    mean = to_numpy(ours.batch_norm.moving_mean)
    ours(images, training=True)
    np.testing.assert_array_equal(to_numpy(ours.batch_norm.moving_mean), mean)


def test_an_image_smaller_than_the_kernel_is_refused_with_the_least_size():
    ours = block()
    message = (
        r"ConvBNRelu needs images of at least 5x3 pixels with padding='valid'\. "
        r"Received: input_shape=\(None, 4, 9, 3\)"
    )
    with pytest.raises(ValueError, match=message):
        ours.compute_output_shape((None, 4, 9, 3))
    with pytest.raises(ValueError, match="at least 5x3"):
        ours(keras.KerasTensor((None, 4, 9, 3)))
    with pytest.raises(ValueError, match="at least 5x3"):
        ours.build((None, 9, 2, 3))
    assert ours.compute_output_shape((None, 5, 3, 3)) == (None, 1, 1, 4)
