"""One small configuration of each kind of block, and what several test modules need."""

import os
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import pytest

import cnnblocks


@dataclass(frozen=True)
class Case:
    """A block's arguments and the shape of images it is tried on."""

    kind: str
    arguments: dict[str, Any]
    image_shape: tuple[int, int, int] = (8, 8, 3)

    def block(self, **arguments):
        return getattr(cnnblocks, self.kind)(**{**self.arguments, **arguments})

    def model(self, **arguments):
        return keras.Sequential([keras.Input(self.image_shape), self.block(**arguments)])

    def images(self, seed=0, count=2):
        shape = (count, *self.image_shape)
        return np.random.default_rng(seed).normal(size=shape).astype("float32")


CASES = {
    "conv_bn_relu": Case("ConvBNRelu", {"filters": 4}),
    "conv_bn_relu_valid": Case(
        "ConvBNRelu",
        {"filters": 4, "kernel_size": (5, 3), "strides": 2, "padding": "valid", "use_bias": True},
    ),
    "conv_bn_relu_frozen_statistics": Case(
        "ConvBNRelu", {"filters": 4, "use_bias": True, "freeze_statistics": True}
    ),
    "vgg_block": Case("VGGBlock", {"num_convs": 2, "filters": 4}),
    "vgg_block_normalized": Case(
        "VGGBlock",
        {
            "num_convs": 2,
            "filters": 4,
            "use_batch_norm": True,
            "use_bias": True,
            "dropout": 0.2,
            "pool_padding": "same",
        },
        (7, 9, 3),
    ),
    "nin_block": Case("NiNBlock", {"filters": 4, "kernel_size": 3}),
    "nin_block_valid": Case(
        "NiNBlock", {"filters": 4, "kernel_size": 5, "strides": 2, "padding": "valid"}
    ),
    "inception_block": Case("InceptionBlock", {"filters": (2, (3, 4), (2, 3), 4)}),
    "inception_block_normalized": Case(
        "InceptionBlock", {"filters": 3, "strides": 2, "use_batch_norm": True, "use_bias": True}
    ),
    "resnet_block": Case("ResnetBlock", {"filters": 4}, (8, 8, 4)),
    "resnet_block_projected": Case("ResnetBlock", {"filters": 4, "strides": 2, "drop_path": 0.2}),
    "resnet_block_bottleneck": Case("ResnetBlock", {"filters": 2, "bottleneck": True}),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    """Each of the configurations in turn."""
    return request.param


@pytest.fixture
def cases():
    """All the configurations by name."""
    return CASES


@pytest.fixture
def channels_first():
    """Keras' global data format is channels_first during the test."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format(before)


@pytest.fixture
def to_numpy():
    """A function from a tensor of any backend to a numpy array."""
    return keras.ops.convert_to_numpy


@pytest.fixture
def randomize():
    """A function that gives every weight of a layer or model a random value, none of them special.

    Freshly made weights hide mistakes: biases are 0, scales 1, moving statistics 0 and 1.
    """

    def randomize(layer, seed=0):
        rng = np.random.default_rng(seed)
        layer.set_weights([rng.uniform(0.1, 0.5, size=w.shape) for w in layer.weights])
        return layer

    return randomize
