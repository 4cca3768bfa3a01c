"""Shapes under arguments and images that hypothesis draws."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnblocks

ACTIVATIONS = ("relu", "gelu", "sigmoid", None)

widths = st.integers(1, 5)
pairs = st.integers(1, 4) | st.tuples(st.integers(1, 4), st.integers(1, 4))
kernel_sizes = st.integers(1, 6) | st.tuples(st.integers(1, 6), st.integers(1, 6))
paddings = st.sampled_from(["same", "valid"])
booleans = st.booleans()
fractions = st.sampled_from([0.0, 0.3, 0.9])
sizes = st.integers(1, 12)


def common():
    return {
        "activation": st.sampled_from(ACTIVATIONS),
        "data_format": st.sampled_from(["channels_last", "channels_first"]),
        "kernel_initializer": st.sampled_from(["zeros", "ones"]),
    }


def normalizing():
    return {
        **common(),
        "freeze_statistics": booleans,
        "batch_norm_momentum": fractions,
        "batch_norm_epsilon": st.sampled_from([1e-5, 1e-3]),
    }


BLOCKS = {
    cnnblocks.ConvBNRelu: st.fixed_dictionaries(
        {
            "filters": widths,
            "kernel_size": kernel_sizes,
            "strides": pairs,
            "padding": paddings,
            "use_bias": booleans,
            **normalizing(),
        }
    ),
    cnnblocks.VGGBlock: st.fixed_dictionaries(
        {
            "num_convs": st.integers(1, 3),
            "filters": widths,
            "use_batch_norm": booleans,
            "dropout": fractions,
            "pool_padding": paddings,
            "use_bias": st.none() | booleans,
            **normalizing(),
        }
    ),
    cnnblocks.NiNBlock: st.fixed_dictionaries(
        {
            "filters": widths,
            "kernel_size": kernel_sizes,
            "strides": pairs,
            "padding": paddings,
            **common(),
        }
    ),
    cnnblocks.InceptionBlock: st.fixed_dictionaries(
        {
            "filters": widths
            | st.tuples(widths, st.tuples(widths, widths), st.tuples(widths, widths), widths),
            "strides": pairs,
            "use_batch_norm": booleans,
            "use_bias": st.none() | booleans,
            **normalizing(),
        }
    ),
    cnnblocks.ResnetBlock: st.fixed_dictionaries(
        {
            "filters": widths,
            "strides": pairs,
            "projection": st.sampled_from([None, True]),
            "bottleneck": booleans,
            "drop_path": fractions,
            **normalizing(),
        }
    ),
}
kinds = st.one_of([st.tuples(st.just(cls), arguments) for cls, arguments in BLOCKS.items()])
all_blocks = pytest.mark.parametrize("cls", BLOCKS, ids=lambda cls: cls.__name__)


def made(kind):
    cls, arguments = kind
    return cls(**arguments)


def images_of(block, batch, height, width, channels):
    if block.data_format == "channels_first":
        return (batch, channels, height, width)
    return (batch, height, width, channels)


def is_too_small(block, height, width):
    if isinstance(block, cnnblocks.VGGBlock):
        least = (2, 2) if block.pool_padding == "valid" else (1, 1)
    else:
        least = block.kernel_size if getattr(block, "padding", "same") == "valid" else (1, 1)
    return height < least[0] or width < least[1]


def operations_shape(block, shape):
    """The shape that `call` gives when every operation in it works out its own."""
    return block.call(keras.KerasTensor(shape)).shape


@all_blocks
@given(data=st.data(), height=sizes, width=sizes, channels=widths)
@settings(max_examples=40)
def test_output_shape_is_what_the_operations_give(cls, data, height, width, channels):
    block = cls(**data.draw(BLOCKS[cls]))
    shape = images_of(block, 2, height, width, channels)
    if is_too_small(block, height, width):
        for method in (block.compute_output_shape, block.build):
            with pytest.raises(ValueError, match=r"needs images of at least \d+x\d+ pixels with"):
                method(shape)
        return
    expected = block.compute_output_shape(shape)
    assert block(keras.KerasTensor(shape)).shape == expected
    assert operations_shape(block, shape) == expected


@all_blocks
@given(data=st.data(), height=sizes, width=sizes, channels=widths)
@settings(max_examples=15)
def test_output_shape_is_what_a_call_gives(cls, data, height, width, channels):
    block = cls(**data.draw(BLOCKS[cls]) | {"data_format": "channels_last"})
    images = np.ones((2, height, width, channels), "float32")
    if is_too_small(block, height, width):
        with pytest.raises(ValueError, match=r"needs images of at least \d+x\d+ pixels with"):
            block(images)
        return
    output = keras.ops.convert_to_numpy(block(images, training=True))
    assert output.shape == block.compute_output_shape(images.shape)
    assert np.isfinite(output).all()


@all_blocks
@given(data=st.data(), height=sizes, width=sizes, channels=widths)
@settings(max_examples=25)
def test_unknown_dimensions_stay_unknown(cls, data, height, width, channels):
    block = cls(**data.draw(BLOCKS[cls]))
    known = [data.draw(booleans) for _ in range(3)]
    batch, height, width = (
        size if keep else None for size, keep in zip((2, height + 6, width + 6), known)
    )
    shape = images_of(block, batch, height, width, channels)
    output = block.compute_output_shape(shape)
    block.build(shape)
    assert operations_shape(block, shape) == output
    space = output[1:3] if block.data_format == "channels_last" else output[2:4]
    assert [size is not None for size in (output[0], *space)] == known


@given(kind=kinds)
@settings(max_examples=80)
def test_config_survives_json(kind):
    block = made(kind)
    config = block.get_config()
    copy = type(block).from_config(config)
    assert copy.get_config() == config
    from_text = type(block).from_config(json.loads(json.dumps(config)))
    assert from_text.get_config() == config


@given(kind=kinds, channels=widths)
@settings(max_examples=40)
def test_a_copy_from_the_config_has_the_same_weights(kind, channels):
    block = made(kind)
    shape = images_of(block, None, 12, 12, channels)
    block.build(shape)
    copy = type(block).from_config(block.get_config())
    copy.build(shape)
    assert [(w.path, w.shape) for w in copy.weights] == [(w.path, w.shape) for w in block.weights]


@given(kind=kinds, channels=widths)
@settings(max_examples=40)
def test_a_smaller_image_after_building_gets_the_same_error(kind, channels):
    """A layer built for any size meets the small image only when it is called."""
    block = made(kind)
    block.build(images_of(block, None, None, None, channels))
    if not is_too_small(block, 1, 1):
        return
    with pytest.raises(ValueError, match=r"needs images of at least"):
        block(np.ones(images_of(block, 1, 1, 1, channels), "float32"))
