"""Wrong arguments: what was expected, what came."""

import re

import numpy as np
import pytest

import cnnblocks

CONV = {"filters": 4}
VGG = {"num_convs": 2, "filters": 4}
NIN = {"filters": 4, "kernel_size": 3}
INCEPTION = {"filters": 4}
RESNET = {"filters": 4}
WRONG = [
    ("ConvBNRelu", CONV, {"filters": 0}, "`filters` must be a positive integer."),
    ("ConvBNRelu", CONV, {"filters": -3}, "`filters` must be a positive integer."),
    ("ConvBNRelu", CONV, {"filters": 4.0}, "`filters` must be a positive integer."),
    ("ConvBNRelu", CONV, {"filters": True}, "`filters` must be a positive integer."),
    ("ConvBNRelu", CONV, {"filters": None}, "`filters` must be a positive integer."),
    ("ConvBNRelu", CONV, {"kernel_size": 0}, "`kernel_size` must be a positive integer or a pair"),
    ("ConvBNRelu", CONV, {"kernel_size": (3, 0)}, "pair of positive integers (height, width)."),
    ("ConvBNRelu", CONV, {"kernel_size": (3, 3, 3)}, "`kernel_size` must be a positive integer or"),
    ("ConvBNRelu", CONV, {"kernel_size": "33"}, "`kernel_size` must be a positive integer or"),
    ("ConvBNRelu", CONV, {"strides": 0}, "`strides` must be a positive integer or a pair"),
    ("ConvBNRelu", CONV, {"strides": 1.5}, "`strides` must be a positive integer or a pair"),
    ("ConvBNRelu", CONV, {"padding": "full"}, "`padding` must be 'valid' or 'same'."),
    ("ConvBNRelu", CONV, {"use_bias": None}, "`use_bias` must be True or False."),
    ("ConvBNRelu", CONV, {"freeze_statistics": 1}, "`freeze_statistics` must be True or False."),
    ("ConvBNRelu", CONV, {"batch_norm_momentum": 1}, "at least 0 and below 1."),
    ("ConvBNRelu", CONV, {"batch_norm_epsilon": 0}, "`batch_norm_epsilon` must be a number above"),
    ("ConvBNRelu", CONV, {"data_format": "NHWC"}, "'channels_last', 'channels_first' or None."),
    ("VGGBlock", VGG, {"num_convs": 0}, "`num_convs` must be a positive integer."),
    ("VGGBlock", VGG, {"filters": (4,)}, "`filters` must be a positive integer."),
    ("VGGBlock", VGG, {"use_batch_norm": "yes"}, "`use_batch_norm` must be True or False."),
    ("VGGBlock", VGG, {"use_bias": 0}, "`use_bias` must be True, False or None."),
    ("VGGBlock", VGG, {"dropout": 1.0}, "`dropout` must be a number of at least 0 and below 1."),
    ("VGGBlock", VGG, {"dropout": -0.1}, "`dropout` must be a number of at least 0 and below 1."),
    ("VGGBlock", VGG, {"dropout": None}, "`dropout` must be a number of at least 0 and below 1."),
    ("VGGBlock", VGG, {"dropout": float("nan")}, "`dropout` must be a number of at least 0"),
    ("VGGBlock", VGG, {"pool_padding": "SAME"}, "`pool_padding` must be 'valid' or 'same'."),
    ("NiNBlock", NIN, {"filters": "4"}, "`filters` must be a positive integer."),
    ("NiNBlock", NIN, {"kernel_size": None}, "`kernel_size` must be a positive integer or a pair"),
    ("NiNBlock", NIN, {"strides": (2,)}, "`strides` must be a positive integer or a pair"),
    ("NiNBlock", NIN, {"padding": None}, "`padding` must be 'valid' or 'same'."),
    ("InceptionBlock", INCEPTION, {"filters": 0}, "`filters` must be a positive integer."),
    ("InceptionBlock", INCEPTION, {"filters": (1, 2, 3, 4)}, "(c1, (c2a, c2b), (c3a, c3b), c4)."),
    ("InceptionBlock", INCEPTION, {"filters": None}, "(c1, (c2a, c2b), (c3a, c3b), c4)."),
    ("InceptionBlock", INCEPTION, {"filters": (1, (2, 0), (3, 3), 4)}, "a positive integer."),
    ("InceptionBlock", INCEPTION, {"filters": (1, (2, 2.5), (3, 3), 4)}, "a positive integer."),
    ("InceptionBlock", INCEPTION, {"strides": -1}, "`strides` must be a positive integer or"),
    ("ResnetBlock", RESNET, {"filters": 0}, "`filters` must be a positive integer."),
    ("ResnetBlock", RESNET, {"strides": (1, 2, 3)}, "`strides` must be a positive integer or"),
    ("ResnetBlock", RESNET, {"projection": 1}, "`projection` must be True, False or None."),
    ("ResnetBlock", RESNET, {"bottleneck": None}, "`bottleneck` must be True or False."),
    ("ResnetBlock", RESNET, {"drop_path": 1}, "`drop_path` must be a number of at least 0 and"),
]


@pytest.mark.parametrize(
    ("kind", "right", "wrong", "message"),
    WRONG,
    ids=[f"{kind}-{name}={value}" for kind, _, wrong, _ in WRONG for name, value in wrong.items()],
)
def test_wrong_arguments_are_named_with_what_was_received(kind, right, wrong, message):
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        getattr(cnnblocks, kind)(**{**right, **wrong})
    [value] = wrong.values()
    assert "Received: " in str(raised.value)
    assert str(raised.value).endswith(f"={value!r}") or "filters" in wrong


@pytest.mark.parametrize("kind", ["ConvBNRelu", "ResnetBlock"])
def test_numbers_of_numpy_become_plain_ones(kind):
    block = getattr(cnnblocks, kind)(
        np.int64(4), strides=(np.int32(1), np.int8(2)), batch_norm_epsilon=np.float32(0.5)
    )
    config = block.get_config()
    assert (config["filters"], config["strides"]) == (4, (1, 2))
    assert type(config["filters"]) is int
    assert type(config["batch_norm_epsilon"]) is float


def test_lists_become_tuples():
    block = cnnblocks.InceptionBlock([1, [2, 3], [4, 5], 6], strides=[1, 2])
    assert block.get_config()["filters"] == (1, (2, 3), (4, 5), 6)
    assert block.get_config()["strides"] == (1, 2)


def test_an_unknown_argument_is_refused():
    with pytest.raises(ValueError, match="kernel_sizes"):
        cnnblocks.ConvBNRelu(4, kernel_sizes=5)


def test_unknown_names_of_keras_objects_are_refused():
    for argument in ("activation", "kernel_initializer", "kernel_regularizer"):
        with pytest.raises(ValueError, match="frobnicate"):
            cnnblocks.NiNBlock(4, 3, **{argument: "frobnicate"})
