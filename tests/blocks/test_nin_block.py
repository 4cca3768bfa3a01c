import keras
import numpy as np
import pytest

import cnnblocks

IMAGES = np.random.default_rng(0).normal(size=(4, 9, 8, 3)).astype("float32")


def test_it_is_a_convolution_and_two_of_1x1(randomize, to_numpy):
    layers = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, strides=2, padding="valid", activation="relu"),
            keras.layers.Conv2D(4, 1, activation="relu"),
            keras.layers.Conv2D(4, 1, activation="relu"),
        ]
    )
    layers.build(IMAGES.shape)
    block = cnnblocks.NiNBlock(4, 3, strides=2, padding="valid")
    block.build(IMAGES.shape)
    block.set_weights(randomize(layers).get_weights())
    # Convolutions by 1x1 are matrix products, which sum in another order.
    np.testing.assert_allclose(
        to_numpy(block(IMAGES)), to_numpy(layers(IMAGES)), rtol=1e-5, atol=1e-6
    )


def test_its_outputs_are_never_negative(to_numpy):
    assert to_numpy(cnnblocks.NiNBlock(4, 3)(IMAGES)).min() == 0


@pytest.mark.parametrize(
    ("block", "input_shape", "output_shape", "parameters"),
    [
        (cnnblocks.NiNBlock(96, 11, 4, "valid"), (224, 224, 1), (54, 54, 96), 30336),
        (cnnblocks.NiNBlock(256, 5), (26, 26, 96), (26, 26, 256), 746240),
        (cnnblocks.NiNBlock(10, 3), (5, 5, 384), (5, 5, 10), 34790),
    ],
    ids=["first", "second", "last"],
)
def test_shapes_and_parameters_of_network_in_network(block, input_shape, output_shape, parameters):
    block.build((None, *input_shape))
    assert block.compute_output_shape((None, *input_shape)) == (None, *output_shape)
    assert block.count_params() == parameters


def test_an_image_smaller_than_the_kernel_is_refused():
    message = r"NiNBlock needs images of at least 11x11 pixels with padding='valid'\."
    with pytest.raises(ValueError, match=message):
        cnnblocks.NiNBlock(96, 11, 4, "valid").build((None, 10, 28, 1))
