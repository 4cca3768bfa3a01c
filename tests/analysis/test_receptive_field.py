"""The receptive field of the table against what a value really depends on."""

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import layers

import cnnblocks
from cnnblocks import networks

SIZE = 48


def with_positive_kernels(model):
    """All that is added up is positive, so a value is positive where it sees anything at all."""
    for weight in model.weights:
        if weight.path.endswith("kernel"):
            weight.assign(np.full(weight.shape, 1.0 / np.prod(weight.shape[:-1])))
    return model


def rows_seen(model, size=SIZE):
    """For each row of the output's middle column, first and last row of the image it sees."""
    lines = np.zeros((size, size, size, 1), "float32")
    lines[np.arange(size), np.arange(size)] = 1.0
    output = keras.ops.convert_to_numpy(model(lines, training=False)).sum(axis=-1)
    seen = output[:, :, output.shape[2] // 2] > 0
    rows = [np.flatnonzero(column) for column in seen.T]
    return [(row.min(), row.max()) for row in rows if row.size]


def fields_inside(model, size=SIZE):
    """The fields of neighbouring values, without those that reach the edge of the image."""
    seen = rows_seen(with_positive_kernels(model), size)
    return [(first, last) for first, last in seen if first > 0 and last < size - 1]


def assert_as_measured(model, fields):
    row = cnnblocks.summarize(model).rows[-1]
    # From the middle: a value at the edge may see padding with all but one tap of its kernel.
    middle = len(fields) // 2
    (first, last), (next_first, _) = fields[middle - 1 : middle + 1]
    assert row.receptive_field == (last - first + 1,) * 2
    assert row.receptive_stride == (next_first - first,) * 2


LAYERS = st.one_of(
    st.builds(
        layers.Conv2D,
        st.just(1),
        st.integers(1, 5),
        kernel_initializer=st.just("ones"),
        padding=st.sampled_from(["same", "valid"]),
        dilation_rate=st.integers(1, 2),
    ),
    st.builds(
        layers.Conv2D,
        st.just(1),
        st.integers(2, 5),
        kernel_initializer=st.just("ones"),
        strides=st.just(2),
        padding=st.sampled_from(["same", "valid"]),
        activation=st.just("relu"),
    ),
    st.builds(
        layers.MaxPooling2D,
        st.integers(2, 3),
        strides=st.just(2),
        padding=st.sampled_from(["same", "valid"]),
    ),
    st.builds(
        layers.DepthwiseConv2D,
        st.integers(1, 4),
        padding=st.just("same"),
        depthwise_initializer=st.just("ones"),
    ),
    st.builds(layers.ZeroPadding2D, st.integers(0, 2)),
    st.builds(layers.BatchNormalization, momentum=st.just(0.9)),
)


@given(stack=st.lists(LAYERS, min_size=1, max_size=4))
@settings(max_examples=25)
def test_stacks_of_layers(stack):
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), *stack])
    fields = fields_inside(model)
    assume(len(fields) > 1)
    assert_as_measured(model, fields)


@given(
    kernels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.integers(1, 2),
    join=st.sampled_from([layers.Add, layers.Concatenate]),
)
@settings(max_examples=15)
def test_branches_and_skips(kernels, stride, join):
    images = keras.Input((SIZE, SIZE, 1))
    x = layers.Conv2D(1, 3, padding="same")(images)
    branches = [layers.Conv2D(1, kernel, strides=stride, padding="same")(x) for kernel in kernels]
    branches[0] = layers.Conv2D(1, 3, padding="same")(branches[0])
    model = keras.Model(images, join()(branches))
    assert_as_measured(model, fields_inside(model))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("lenet5", {"activation": "relu"}),
        ("alexnet8", {}),
        ("inception10", {}),
        ("resnet18", {"blocks": (1, 1, 1)}),
    ],
)
def test_networks(name, arguments):
    model = networks.create(
        name, (96, 96, 1), include_top=False, width=0.02, classifier_activation=None, **arguments
    )
    assert_as_measured(model, fields_inside(model, size=96))


# Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", 2019.
@pytest.mark.parametrize(
    ("name", "arguments", "size", "stride"),
    [
        ("alexnet", {"input_shape": (224, 224, 3)}, 195, 32),
        ("vgg16", {"input_shape": (224, 224, 3)}, 212, 32),
        ("resnet18", {"input_shape": (224, 224, 3), "stem": "imagenet"}, 435, 32),
    ],
)
def test_published_sizes(name, arguments, size, stride):
    table = cnnblocks.summarize(networks.outline(name, include_top=False, **arguments))
    assert table.rows[-1].receptive_field == (size, size)
    assert table.rows[-1].receptive_stride == (stride, stride)


def test_two_stacked_3x3_see_5x5():
    model = keras.Sequential(
        [keras.Input((9, 9, 1)), layers.Conv2D(1, 3, name="one"), layers.Conv2D(1, 3, name="two")]
    )
    assert cnnblocks.summarize(model)["two"].receptive_field == (5, 5)


def test_after_global_pooling_a_value_sees_the_image_and_no_more():
    table = cnnblocks.summarize(networks.outline("resnet18"))
    assert table["global_pool"].receptive_field == (32, 32)
    assert table["global_pool"].receptive_stride is None
    assert table["classifier"].receptive_field == (32, 32)


def test_pixels_that_no_window_reaches_are_not_seen():
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.MaxPooling2D(3), layers.Flatten()])
    assert cnnblocks.summarize(model).rows[-1].receptive_field == (6, 6)


def test_sides_may_differ():
    model = keras.Sequential([keras.Input((9, 9, 1)), layers.Conv2D(1, (3, 5), strides=(1, 2))])
    row = cnnblocks.summarize(model).rows[-1]
    assert (row.receptive_field, row.receptive_stride) == ((3, 5), (1, 2))


@pytest.mark.parametrize("name", ["resnet18", "inception10", "nin"])
def test_channels_first_sees_the_same(name):
    fields = {}
    for data_format in ("channels_last", "channels_first"):
        table = cnnblocks.summarize(networks.outline(name, data_format=data_format))
        fields[data_format] = [
            (r.path, r.receptive_field, r.receptive_stride) for r in table.walk()
        ]
    assert fields["channels_last"] == fields["channels_first"]


def test_it_is_left_open_where_it_cannot_be_told():
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.UpSampling2D(2), layers.Conv2D(1, 3)])
    assert [row.receptive_field for row in cnnblocks.summarize(model).rows[1:]] == [None, None]
