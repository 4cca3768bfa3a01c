import keras
import numpy as np
import pytest

import cnnblocks

IMAGES = np.random.default_rng(0).normal(size=(4, 7, 6, 3)).astype("float32")


@pytest.mark.parametrize("pool_padding", ["valid", "same"])
@pytest.mark.parametrize("use_batch_norm", [False, True])
def test_it_is_convolutions_then_pooling(pool_padding, use_batch_norm, randomize, to_numpy):
    layers = keras.Sequential()
    for _ in range(3):
        layers.add(keras.layers.Conv2D(4, 3, padding="same"))
        if use_batch_norm:
            layers.add(keras.layers.BatchNormalization())
        layers.add(keras.layers.ReLU())
    layers.add(keras.layers.MaxPooling2D(2, padding=pool_padding))
    layers.build(IMAGES.shape)
    block = cnnblocks.VGGBlock(
        3, 4, use_batch_norm=use_batch_norm, use_bias=True, pool_padding=pool_padding
    )
    block.build(IMAGES.shape)
    block.set_weights(randomize(layers).get_weights())
    # One kernel normalizes while training, with another order of sums.
    np.testing.assert_allclose(
        to_numpy(block(IMAGES, training=use_batch_norm)),
        to_numpy(layers(IMAGES, training=use_batch_norm)),
        rtol=1e-5 if use_batch_norm else 0,
        atol=1e-5 if use_batch_norm else 0,
    )


@pytest.mark.parametrize(
    ("num_convs", "filters", "channels", "parameters"),
    [(1, 64, 1, 640), (1, 128, 64, 73856), (2, 256, 128, 885248), (2, 512, 512, 4719616)],
)
def test_parameters_of_vgg11(num_convs, filters, channels, parameters):
    block = cnnblocks.VGGBlock(num_convs, filters, kernel_initializer="zeros")
    block.build((None, 224, 224, channels))
    assert block.count_params() == parameters
    assert block.compute_output_shape((None, 224, 224, channels)) == (None, 112, 112, filters)


@pytest.mark.parametrize(
    ("use_batch_norm", "use_bias", "biases"),
    [(False, None, 2), (True, None, 0), (True, True, 2), (False, False, 0)],
)
def test_bias_is_left_out_under_normalization_unless_asked(use_batch_norm, use_bias, biases):
    block = cnnblocks.VGGBlock(2, 4, use_batch_norm=use_batch_norm, use_bias=use_bias)
    block.build((None, 8, 8, 3))
    assert sum(weight.name == "bias" for weight in block.weights) == biases
    assert block.get_config()["use_bias"] == (biases > 0)


def test_dropout_drops_in_training_only(to_numpy):
    keras.utils.set_random_seed(0)
    block = cnnblocks.VGGBlock(1, 8, dropout=0.5, activation="softplus")
    inference = to_numpy(block(IMAGES))
    training = to_numpy(block(IMAGES, training=True))
    dropped = training == 0
    assert inference.min() > 0
    assert 0.3 < dropped.mean() < 0.7
    np.testing.assert_allclose(training[~dropped], 2 * inference[~dropped], rtol=1e-6)


def test_odd_sizes_follow_the_pool_padding():
    shape = (None, 7, 5, 3)
    assert cnnblocks.VGGBlock(1, 4).compute_output_shape(shape) == (None, 3, 2, 4)
    same = cnnblocks.VGGBlock(1, 4, pool_padding="same")
    assert same.compute_output_shape(shape) == (None, 4, 3, 4)


def test_an_image_too_small_to_pool_is_refused_unless_padded():
    message = r"VGGBlock needs images of at least 2x2 pixels with pool_padding='valid'\."
    with pytest.raises(ValueError, match=message):
        cnnblocks.VGGBlock(1, 4).build((None, 1, 8, 3))
    assert cnnblocks.VGGBlock(1, 4, pool_padding="same").compute_output_shape((None, 1, 1, 3)) == (
        None,
        1,
        1,
        4,
    )
