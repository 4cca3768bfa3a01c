"""Slices against NumPy's own, and what is refused."""

import shutil

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cnnblocks import weights
from cnnblocks.weights.formats import text
from cnnblocks.weights.slicing import normalize, parse


def written(index):
    """Write an index as a person would."""

    def one(item):
        if item is Ellipsis:
            return "..."
        if isinstance(item, slice):
            parts = [item.start, item.stop, item.step]
            if item.step is None:
                parts.pop()
            return ":".join("" if part is None else str(part) for part in parts)
        return str(item)

    items = index if isinstance(index, tuple) else (index,)
    return f"[{', '.join(map(one, items))}]"


def stored(path, values):
    if path.name == "text":
        text.write(path, [("a/kernel:0", values)])
        return path
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, chunks=True if path.name == "chunked" else None)
    return path


@given(st.data())
def test_every_slice_is_numpys(data):
    shape = data.draw(npst.array_shapes(min_dims=1, max_dims=4, max_side=5))
    index = data.draw(npst.basic_indices(shape, allow_newaxis=False))
    values = np.arange(np.prod(shape)).reshape(shape)
    chosen = normalize(parse(written(index)), shape)
    assert np.array_equal(values[chosen], values[index])


@given(st.data(), st.sampled_from(["contiguous", "chunked", "text"]))
def test_every_slice_of_a_file_is_numpys(tmp_path_factory, data, layout):
    shape = data.draw(npst.array_shapes(min_dims=1, max_dims=4, max_side=5))
    index = data.draw(npst.basic_indices(shape, allow_newaxis=False))
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    directory = tmp_path_factory.mktemp("slices")
    with weights.open(stored(directory / layout, values)) as table:
        assert np.array_equal(table.tensors[0].read_slice(written(index)), values[index])
    shutil.rmtree(directory)


@given(st.text())
def test_no_text_is_evaluated(expression):
    try:
        parse(expression)
    except weights.SliceError as error:
        assert "Received" in str(error)


@pytest.mark.parametrize(
    "expression",
    ["[", "]", "[a]", "[1.5]", "[0x1]", "[1:2:3:4]", "[::0]", "[..., ...]", "[()]", "[1 2]"],
)
def test_what_is_no_slice(expression):
    with pytest.raises(weights.SliceError):
        parse(expression)


@pytest.mark.parametrize(("expression", "shape"), [("[3]", (3,)), ("[-4]", (3,)), ("[0, 0]", (3,))])
def test_what_does_not_fit(expression, shape):
    with pytest.raises(weights.SliceError, match="shape is"):
        normalize(parse(expression), shape)


def test_brackets_may_be_left_out():
    assert parse("..., 3") == parse("[..., 3]") == (Ellipsis, 3)
