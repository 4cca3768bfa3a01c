import keras
import numpy as np
import pytest

import cnnblocks

IMAGES = np.random.default_rng(0).normal(size=(4, 9, 8, 3)).astype("float32")
EVEN_IMAGES = IMAGES[:, :8]


def conv(filters, kernel_size, strides=1):
    return keras.layers.Conv2D(filters, kernel_size, strides=strides, padding="same")


def plain_model(strides, use_batch_norm, shape=IMAGES.shape[1:]):
    """The same computation written out in plain Keras, below a convolution."""

    def branch(*layers):
        x = below
        for layer in layers:
            x = layer(x)
            if isinstance(layer, keras.layers.Conv2D):
                x = keras.layers.BatchNormalization()(x) if use_batch_norm else x
                x = keras.layers.ReLU()(x)
        return x

    inputs = keras.Input(shape)
    below = keras.layers.Conv2D(3, 2, padding="same", name="below")(inputs)
    branches = [
        branch(conv(2, 1, strides)),
        branch(conv(3, 1, strides), conv(4, 3)),
        branch(conv(5, 1, strides), conv(6, 5)),
        branch(keras.layers.MaxPooling2D(3, strides=1, padding="same"), conv(7, 1, strides)),
    ]
    return keras.Model(inputs, keras.layers.Concatenate()(branches))


@pytest.mark.parametrize("use_batch_norm", [False, True])
@pytest.mark.parametrize(
    ("strides", "images"),
    [(1, IMAGES), (2, IMAGES), (2, EVEN_IMAGES), ((4, 1), EVEN_IMAGES), ((2, 4), EVEN_IMAGES)],
)
def test_it_is_four_branches_joined(strides, images, use_batch_norm, to_numpy):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(images.shape[1:])
    block = cnnblocks.InceptionBlock(
        (2, (3, 4), (5, 6), 7), strides=strides, use_batch_norm=use_batch_norm, use_bias=True
    )
    below = keras.layers.Conv2D(3, 2, padding="same", name="below")(inputs)
    ours = keras.Model(inputs, block(below))
    plain = plain_model(strides, use_batch_norm, images.shape[1:])
    kernels = {weight.shape: weight for weight in plain.weights if weight.name == "kernel"}
    for weight in ours.weights:
        if weight.name == "kernel":
            weight.assign(to_numpy(kernels[weight.shape]))
    for training in (False, True):
        np.testing.assert_allclose(
            *(to_numpy(model(images, training=training)) for model in (ours, plain)),
            rtol=1e-5,
            atol=1e-5,
        )
    for model in (ours, plain):
        model.compile(keras.optimizers.SGD(0.1), "mse")
        for _ in range(2):
            model.train_on_batch(images, np.ones(model.compute_output_shape(images.shape)))
    for weight in ours.weights:
        if weight.name == "kernel":
            np.testing.assert_allclose(
                to_numpy(weight), to_numpy(kernels[weight.shape]), rtol=1e-4, atol=1e-5
            )


def test_one_number_stands_for_every_branch():
    block = cnnblocks.InceptionBlock(16)
    assert block.filters == (16, (16, 16), (16, 16), 16)
    assert block.compute_output_shape((None, 32, 32, 16)) == (None, 32, 32, 64)


def test_parameters_of_googlenet():
    blocks = [
        cnnblocks.InceptionBlock((64, (96, 128), (16, 32), 32)),
        cnnblocks.InceptionBlock((128, (128, 192), (32, 96), 64)),
    ]
    shape = (None, 12, 12, 192)
    parameters = 0
    for block in blocks:
        block.build(shape)
        shape = block.compute_output_shape(shape)
        parameters += block.count_params()
    assert shape == (None, 12, 12, 480)
    assert parameters == 552432


def test_bias_is_left_out_under_normalization_unless_asked():
    assert cnnblocks.InceptionBlock(4).use_bias
    assert not cnnblocks.InceptionBlock(4, use_batch_norm=True).use_bias
    assert cnnblocks.InceptionBlock(4, use_batch_norm=True, use_bias=True).use_bias


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_smallest_images_work(size, to_numpy):
    images = np.ones((2, size, 1, 3), "float32")
    output = to_numpy(cnnblocks.InceptionBlock(2, strides=2)(images))
    assert output.shape == (2, -(-size // 2), 1, 8)
