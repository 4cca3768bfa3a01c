"""Text dumps: what is written is read again, and what NumPy prints is read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cnnblocks import weights
from cnnblocks.weights.formats import text

ARRAYS = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=0, max_dims=4, max_side=6),
    elements=st.floats(-(2.0**99), 2.0**99, width=32),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dump.txt"


@given(st.lists(ARRAYS, min_size=1, max_size=4))
def test_what_is_written_is_read_again(path, arrays):
    items = [(f"net/layer_{n}/kernel:0", values) for n, values in enumerate(arrays)]
    text.write(path, items)
    with weights.open(path) as table:
        assert table.format == "text"
        assert [tensor.name for tensor in table.tensors] == [name for name, _ in items]
        assert [tensor.layer for tensor in table.tensors] == [
            f"layer_{n}" for n in range(len(arrays))
        ]
        for tensor, values in zip(table.tensors, arrays):
            assert tensor.shape == values.shape
            assert np.array_equal(tensor.read(), values)


@given(st.lists(ARRAYS, min_size=1, max_size=4))
def test_what_numpy_prints_is_read(path, arrays):
    with np.printoptions(threshold=np.inf), path.open("w") as stream:
        for number, values in enumerate(arrays):
            stream.write(f"layer_{number}/kernel:0\n{values.shape}\n{values}\n")
    with weights.open(path) as table:
        for tensor, values in zip(table.tensors, arrays):
            scale = max(1, np.abs(values).max(initial=0))
            assert np.allclose(tensor.read(), values, rtol=1e-7, atol=1e-8 * scale)


def test_as_the_courses_write_it(path):
    text.write(path, [("lenet/conv2d/kernel:0", np.ones((1, 1, 2, 2), np.float32))])
    assert path.read_text() == (
        "lenet/conv2d/kernel:0\n"
        "(1, 1, 2, 2)\n"
        "[[[[1.00000000e+00 1.00000000e+00]\n"
        "   [1.00000000e+00 1.00000000e+00]]]]\n"
    )


def test_lines_of_windows(path):
    path.write_bytes(b"a/kernel:0\r\n(2,)\r\n[1.5 2.5]\r\nb/bias:0\r\n()\r\n3.0\r\n")
    with weights.open(path) as table:
        assert table.tensors[0].read().tolist() == [1.5, 2.5]
        assert table.tensors[1].read() == 3


def test_values_are_read_piece_by_piece(path):
    values = np.random.default_rng(0).random((50, 70), dtype=np.float32)
    text.write(path, [("a/kernel:0", values)])
    with weights.open(path) as table:
        slabs = list(table.tensors[0].slabs(256))
        assert len(slabs) > 50
        assert np.array_equal(np.concatenate(slabs), values.ravel())
        assert np.array_equal(table.tensors[0].read_slice("[3, ::2]"), values[3, ::2])
