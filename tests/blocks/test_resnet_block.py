import keras
import numpy as np
import pytest

import cnnblocks

IMAGES = np.random.default_rng(0).normal(size=(6, 9, 8, 4)).astype("float32")


def plain_model(kernels, filters, strides, projects):
    """The same computation written out in plain Keras; `strides` has one entry a convolution."""

    def conv(x, channels, kernel_size, stride):
        x = keras.layers.Conv2D(
            channels, kernel_size, strides=stride, padding="same", use_bias=False
        )(x)
        return keras.layers.BatchNormalization()(x)

    x = inputs = keras.Input(IMAGES.shape[1:])
    for position, (kernel, channels, stride) in enumerate(zip(kernels, filters, strides), 1):
        x = conv(x, channels, kernel, stride)
        x = keras.layers.ReLU()(x) if position < len(kernels) else x
    shortcut = conv(inputs, filters[-1], 1, max(strides)) if projects else inputs
    return keras.Model(inputs, keras.layers.ReLU()(keras.layers.Add()([x, shortcut])))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("arguments", "plain"),
    [
        ({"filters": 4}, ((3, 3), (4, 4), (1, 1), False)),
        ({"filters": 4, "projection": True}, ((3, 3), (4, 4), (1, 1), True)),
        ({"filters": 6}, ((3, 3), (6, 6), (1, 1), True)),
        ({"filters": 4, "strides": 2}, ((3, 3), (4, 4), (2, 1), True)),
        ({"filters": 1, "bottleneck": True}, ((1, 3, 1), (1, 1, 4), (1, 1, 1), False)),
        (
            {"filters": 2, "bottleneck": True, "strides": 2},
            ((1, 3, 1), (2, 2, 8), (1, 2, 1), True),
        ),
    ],
    ids=["plain", "asked", "channels", "strides", "bottleneck", "bottleneck_strides"],
)
def test_it_adds_its_input(arguments, plain, training, to_numpy):
    keras.utils.set_random_seed(0)
    block = cnnblocks.ResnetBlock(**arguments)
    block.build(IMAGES.shape)
    model = plain_model(*plain)
    kernels = [weight for weight in model.weights if weight.name == "kernel"]
    for weight in (weight for weight in block.weights if weight.name == "kernel"):
        target = next(kernel for kernel in kernels if kernel.shape == weight.shape)
        target.assign(weight)
        kernels.remove(target)
    assert kernels == []
    np.testing.assert_allclose(
        to_numpy(block(IMAGES, training=training)),
        to_numpy(model(IMAGES, training=training)),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("arguments", "channels", "parameters"),
    [
        ({"filters": 64}, 64, 74240),
        ({"filters": 128, "strides": 2}, 64, 230912),
        ({"filters": 64, "bottleneck": True}, 64, 76288),
        ({"filters": 64, "bottleneck": True}, 256, 71168),
    ],
)
def test_parameters_of_the_residual_networks(arguments, channels, parameters):
    block = cnnblocks.ResnetBlock(**arguments)
    block.build((None, 56, 56, channels))
    assert block.count_params() == parameters


def test_projection_does_not_depend_on_the_size_of_the_image():
    """Else one file would not fit a model for another image size."""
    for size in (None, 1, 2, 32):
        block = cnnblocks.ResnetBlock(4, strides=2)
        block.build((None, size, size, 4))
        assert block.shortcut is not None


@pytest.mark.parametrize(
    "arguments", [{"filters": 5}, {"filters": 4, "strides": 2}, {"filters": 4, "bottleneck": True}]
)
def test_without_projection_the_shape_must_stay(arguments):
    block = cnnblocks.ResnetBlock(projection=False, **arguments)
    for method in (block.build, block.compute_output_shape):
        with pytest.raises(ValueError, match=r"projection=False adds the input as it is.*Received"):
            method((None, 9, 9, 4))


def test_without_projection_the_input_passes_unchanged():
    block = cnnblocks.ResnetBlock(4, projection=False)
    block.build((None, 9, 9, 4))
    assert block.shortcut is None


def test_drop_path_leaves_whole_images_out_and_scales_the_others(to_numpy):
    keras.utils.set_random_seed(0)
    block = cnnblocks.ResnetBlock(4, drop_path=0.5, freeze_statistics=True, activation=None)
    images = np.tile(IMAGES, (20, 1, 1, 1))
    residual = to_numpy(block(images)) - images
    dropped_residual = to_numpy(block(images, training=True)) - images
    dropped = np.abs(dropped_residual).max(axis=(1, 2, 3)) < 1e-6
    assert 0.3 < dropped.mean() < 0.7
    np.testing.assert_allclose(dropped_residual[~dropped], 2 * residual[~dropped], atol=1e-5)


def test_the_smallest_images_work(to_numpy):
    output = to_numpy(cnnblocks.ResnetBlock(2, strides=2)(np.ones((2, 1, 1, 4), "float32")))
    assert output.shape == (2, 1, 1, 2)
