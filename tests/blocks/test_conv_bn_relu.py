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
    np.testing.assert_array_equal(
        to_numpy(ours(images, training=training)), to_numpy(layers(images, training=training))
    )
    for ours_weight, weight in zip(ours.weights, layers.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(ours_weight), to_numpy(weight))


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
