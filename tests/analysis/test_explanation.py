import doctest
import sys

import keras
import pytest
from keras import layers

import cnnblocks
from cnnblocks import networks
from cnnblocks.analysis import explain


@pytest.fixture(scope="module")
def resnet():
    return cnnblocks.summarize(networks.outline("resnet18"), batch_size=2)


def lines_of(table, name):
    title, *lines = explain(table, name).splitlines()
    return title, {line[:17].strip(): line[17:] for line in lines}


@pytest.mark.parametrize("module", ["explanation", "summary"])
def test_the_example_in_the_docstring_runs(module):
    full_name = f"cnnblocks.analysis.{module}"
    __import__(full_name)
    failed, tried = doctest.testmod(sys.modules[full_name], extraglobs={"cnnblocks": cnnblocks})
    assert failed == 0
    assert tried > 2


def test_a_convolution(resnet):
    title, lines = lines_of(resnet, "stage2_block1/conv1/conv")
    assert title == "stage2_block1/conv1/conv: Conv2D, kernel 3x3, stride 2, padding same"
    assert lines == {
        "Input": "32x32x64",
        "Output": "16x16x128",
        "height": "ceil(32 / 2) = 16",
        "width": "ceil(32 / 2) = 16",
        "Parameters": "3 x 3 x 64 x 128 = 73,728",
        "Multiply-adds": "16 x 16 x 128 x (3 x 3 x 64) = 18,874,368",
        "Receptive field": "11 + (3 - 1) x 1 = 13 high and wide, stride 1 x 2 = 2",
        "Activations": "256.0 KiB for 2 images",
    }


def test_a_block_adds_up_what_is_inside(resnet):
    _, lines = lines_of(resnet, "stage2_block1")
    assert lines["Parameters"] == "74,240 + 147,968 + 8,704 = 230,912"
    assert lines["Multiply-adds"] == "18,874,368 + 37,748,736 + 2,097,152 = 58,720,256"


def test_other_layers(resnet):
    assert lines_of(resnet, "stem_conv/batch_norm")[1]["Parameters"].startswith("4 x 64 (gamma")
    assert lines_of(resnet, "classifier")[1]["Parameters"] == "512 x 10 + 10 = 5,130"
    assert lines_of(resnet, "global_pool")[1]["Receptive field"] == (
        "32 high and wide: all positions together"
    )
    joined = lines_of(resnet, "stage2_block1/add")[1]
    assert joined["Input"] == "16x16x128 and 16x16x128"
    assert joined["Receptive field"].endswith("all that its inputs see together")


def test_valid_padding_dilation_and_groups():
    model = keras.Sequential(
        [
            keras.Input((20, 18, 4)),
            layers.Conv2D(6, 3, dilation_rate=2, groups=2, name="conv"),
            layers.DepthwiseConv2D((3, 1), depth_multiplier=2, name="depthwise"),
        ]
    )
    table = cnnblocks.summarize(model)
    title, lines = lines_of(table, "conv")
    assert title == "conv: Conv2D, kernel 3x3, stride 1, padding valid, dilation 2, 2 groups"
    assert lines["height"] == "ceil((20 - 5 + 1) / 1) = 16"
    assert lines["Parameters"] == "3 x 3 x 2 x 6 + 6 = 114"
    assert lines["Receptive field"].startswith("1 + (5 - 1) x 1 = 5")
    assert lines_of(table, "depthwise")[1]["Parameters"] == "3 x 1 x 12 + 12 = 48"


@pytest.mark.parametrize("name", networks.list_networks())
def test_every_equation_holds(name):
    """Both sides of every equation that is shown are equal."""
    table = cnnblocks.summarize(networks.outline(name))
    for row in table.walk():
        for line in explain(table, row.path).splitlines()[1:]:
            for part in line[17:].split(", stride "):
                left, equals, right = part.partition(" = ")
                if equals:
                    assert _value(left) == _value(right.split(" high")[0]), (row.path, line)


def _value(text):
    from math import ceil

    plain = text.partition(" (gamma")[0].replace(",", "").replace(" x ", " * ")
    return eval(plain, {"ceil": ceil})
