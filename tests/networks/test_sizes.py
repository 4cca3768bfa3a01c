"""The smallest image that a network takes."""

import re

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnblocks import networks

# Each follows by hand from kernels, strides and padding, the last stage backwards.
SMALLEST = {
    "lenet": 16,
    "alexnet": 67,
    "alexnet8": 21,
    "vgg11": 32,
    "nin": 67,
    "resnet9": 8,
    "googlenet": 1,
    "resnet50": 1,
    "vgg19": 1,
}


@pytest.mark.parametrize("name", SMALLEST)
def test_the_smallest_size_as_worked_out_by_hand(name):
    assert networks.get(name).min_size() == SMALLEST[name]


def test_arguments_change_the_smallest_size():
    spec = networks.get("vgg11")
    assert spec.min_size(width=0.1) == 32
    assert networks.get("resnet18").min_size(stem="imagenet") == 1


@given(
    name=st.sampled_from(["lenet5", "alexnet", "alexnet8", "vgg11_small", "nin", "resnet9"]),
    short=st.integers(1, 70),
    long=st.integers(1, 70),
    data_format=st.sampled_from(["channels_last", "channels_first"]),
)
@settings(max_examples=40)
def test_sizes_build_from_the_smallest_on_and_no_smaller(name, short, long, data_format):
    smallest = networks.get(name).min_size()
    shape = (3, short, long) if data_format == "channels_first" else (short, long, 3)
    arguments = {"input_shape": shape, "data_format": data_format, "width": 0.1}
    if min(short, long) >= smallest:
        model = networks.outline(name, **arguments)
        assert all(0 not in layer.output.shape for layer in model.layers)
    else:
        expected = f"{smallest}x{smallest}.*{re.escape(str(shape))}"
        with pytest.raises(networks.NetworkError, match=expected):
            networks.outline(name, **arguments)


@pytest.mark.parametrize("name", networks.list_networks())
def test_the_smallest_image_can_be_computed(name, small_network, compute):
    size = networks.get(name).min_size()
    model = small_network(name, input_shape=(size, size, 1), num_classes=3)
    output = compute(model, np.ones((2, size, size, 1), "float32"))
    assert output.shape == (2, 3)
    assert np.isfinite(output).all()


@pytest.mark.parametrize("name", ["googlenet", "inception10", "nin", "resnet9", "resnet18"])
def test_networks_without_flattening_take_any_size(name, small_network, compute):
    model = small_network(name, input_shape=(None, None, 1))
    for shape in ((70, 68), (67, 90)):
        assert compute(model, np.ones((1, *shape, 1), "float32")).shape == (1, 10)


def test_features_of_any_size(small_network):
    model = small_network("vgg11", input_shape=(None, None, 3), include_top=False)
    assert model.compute_output_shape((None, 64, 96, 3)) == (None, 2, 3, 41)


def test_the_error_keeps_what_keras_said():
    with pytest.raises(networks.NetworkError) as caught:
        networks.LeNet5((8, 8, 1))
    assert isinstance(caught.value.__cause__, ValueError)


def test_nothing_is_left_behind_by_the_search():
    networks.get("vgg16").min_size()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with keras.StatelessScope():
        pass
    assert model.weights[0].value is not None
