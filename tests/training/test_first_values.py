"""The values that training starts from."""

import keras
import numpy as np
import pytest

from cnnblocks.data import Preprocessing
from cnnblocks.training.preparation import plan

SMALL = {"input_shape": (67, 67, 1), "network_args": {"dropout": 0.0, "width": 0.1}}


@pytest.fixture(scope="module")
def nin():
    return plan("nin", "digits", overrides=SMALL)


def images(planned):
    train = planned.dataset.train
    spread = np.linspace(0, len(train) - 1, 64).astype(int)
    return Preprocessing.from_dict(planned.config.preprocessing)(train.images(spread))


def sums(conv, x):
    return keras.ops.conv(x, conv.kernel, strides=conv.strides, padding=conv.padding)


def test_lsuv_gives_the_sums_of_every_layer_variance_one(nin):
    x = images(nin)
    for layer in nin.model.layers[1:]:
        if hasattr(layer, "mlp1"):
            y = x
            for conv in (layer.conv, layer.mlp1, layer.mlp2):
                assert float(keras.ops.std(sums(conv, y))) == pytest.approx(1.0, rel=1e-3)
                y = conv(y)
        x = layer(x)


def test_a_head_bias_fills_the_head_and_nothing_else(nin):
    for weight in nin.model.trainable_variables:
        if weight.name == "bias":
            expected = 2.0 if weight.path.startswith("classifier/") else 0.0
            assert np.all(keras.ops.convert_to_numpy(weight) == expected), weight.path


def test_every_class_of_nin_is_alive_at_the_start(nin):
    scores = keras.Model(nin.model.input, nin.model.get_layer("classifier").output)
    highest = np.max(scores.predict(images(nin), verbose=0), axis=(0, 1, 2))
    assert np.all(highest > 0)


def test_weights_from_a_file_replace_the_first_values(nin, tmp_path):
    path = tmp_path / "nin.weights.h5"
    nin.model.save_weights(path)
    again = plan("nin", "digits", overrides=SMALL, seed=5, weights=path)
    for mine, theirs in zip(again.model.weights, nin.model.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("initializer", ["he_normal", "orthogonal"])
def test_kernels_of_the_same_shape_differ(initializer):
    overrides = {**SMALL, "kernel_initializer": initializer, "head_bias": 0.0}
    planned = plan("nin", "digits", overrides=overrides)
    block = planned.model.get_layer("classifier")
    assert block.mlp1.kernel.shape == block.mlp2.kernel.shape
    assert not np.array_equal(block.mlp1.kernel, block.mlp2.kernel)
