"""Statistics against NumPy's, over dtypes, shapes, layouts and odd values."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cnnblocks import weights
from cnnblocks.weights import passes, quantiles


@pytest.fixture
def stored(tmp_path):
    """Return a function that writes an array to a file and returns its tensor."""
    opened = []

    def store(values, name="layers/x/vars/0", **layout):
        path = tmp_path / f"{len(opened)}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset(name, data=values, **layout)
        opened.append(weights.open(path))
        return opened[-1].tensors[0]

    yield store
    for table in opened:
        table.close()


DTYPES = ["f2", "f4", "f8", "i1", "i4", "u8", "?"]


@given(
    st.data(),
    st.sampled_from(DTYPES),
    st.sampled_from([64, 256, 1 << 18]),
    st.sampled_from([{}, {"chunks": True}]),
)
@settings(max_examples=80)
def test_every_figure_is_numpys(stored, data, dtype, slab, layout):
    shape = data.draw(npst.array_shapes(max_dims=4, max_side=9))
    elements = {"min_value": -1000, "max_value": 1000} if dtype[0] == "f" else None
    if elements:
        elements["width"] = 8 * int(dtype[1])
    values = data.draw(
        npst.arrays(dtype, shape, elements=st.floats(**elements) if elements else None)
    )
    original, passes.SLAB_BYTES = passes.SLAB_BYTES, slab
    try:
        found = weights.statistics(stored(values, **layout))
    finally:
        passes.SLAB_BYTES = original
    exact = values.astype(np.float64)
    scale = max(1e-30, np.abs(exact).max())
    assert found.mean == pytest.approx(exact.mean(), rel=1e-5, abs=1e-6 * scale)
    assert found.std == pytest.approx(exact.std(), rel=1e-5, abs=1e-6 * scale)
    assert (found.min, found.max) == (exact.min(), exact.max())
    assert found.norm == pytest.approx(np.sqrt((exact**2).sum()), rel=1e-5, abs=1e-37)
    assert found.zeros == np.mean(exact == 0)
    assert found.nan == found.infinite == 0
    for quantile, value in found.quantiles.items():
        assert value == pytest.approx(np.quantile(exact, quantile), rel=1e-9, abs=1e-9 * scale)


@given(npst.arrays(np.float32, st.integers(1, 200), elements=st.floats(width=32)))
def test_odd_values_are_counted_and_left_out(stored, values):
    found = weights.statistics(stored(values))
    finite = values[np.isfinite(values)].astype(np.float64)
    assert found.nan == np.isnan(values).sum()
    assert found.infinite == np.isinf(values).sum()
    if not finite.size:
        assert math.isnan(found.mean)
        return
    assert (found.min, found.max) == (finite.min(), finite.max())
    assert found.mean == pytest.approx(finite.mean(), rel=1e-5, abs=1e-6 * np.abs(finite).max())
    assert ("NaN" in " ".join(found.problems)) == bool(found.nan)


def test_a_large_mean_does_not_spoil_the_deviation(stored):
    values = np.random.default_rng(0).normal(1000, 0.01, 300_000).astype(np.float32)
    found = weights.statistics(stored(values))
    assert found.std == pytest.approx(values.astype(np.float64).std(), rel=1e-4)


def test_no_values(stored):
    found = weights.statistics(stored(np.zeros((0, 3), np.float32)))
    assert math.isnan(found.mean)
    assert found.problems == []
    assert found.to_json()["mean"] is None


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4"])
def test_exact_quantiles_of_a_large_tensor(stored, dtype):
    rng = np.random.default_rng(1)
    values = (rng.standard_normal(70_001) * 50).astype(dtype)
    if dtype[0] == "f":
        values[::7] = 0
        values[5] = np.nan
        values[9:12] = -np.inf
        values[20] = np.inf
    found = weights.statistics(stored(values), exact=True).quantiles
    finite = values[np.isfinite(values)].astype(np.float64)
    expected = np.quantile(finite, quantiles.QUANTILES)
    assert list(found.values()) == pytest.approx(expected.tolist(), rel=1e-12, abs=1e-12)


def test_sampled_quantiles_are_near(stored):
    values = np.random.default_rng(2).random((3, 3, 128, 257), dtype=np.float32)
    found = weights.statistics(stored(values)).quantiles
    for quantile, value in found.items():
        assert value == pytest.approx(quantile, abs=0.02)


@pytest.mark.parametrize(
    ("name", "shape", "axis"),
    [
        ("conv2d", (3, 3, 5, 7), 3),
        ("conv2d_transpose", (3, 3, 7, 5), 2),
        ("depthwise_conv2d", (3, 3, 7, 1), 2),
        ("dense", (11, 7), 1),
    ],
)
def test_dead_filters(stored, name, shape, axis):
    values = np.random.default_rng(3).normal(1, 0.1, shape).astype(np.float32)
    index = [slice(None)] * len(shape)
    index[axis] = [1, 4]
    values[tuple(index)] *= 1e-5
    found = weights.statistics(stored(values, f"layers/{name}/vars/0"))
    assert found.dead_filters == (1, 4)
    others = tuple(n for n in range(len(shape)) if n != axis)
    assert found.filters == pytest.approx(np.sqrt((values**2).sum(axis=others)), rel=1e-5)
    assert "2 dead filters" in found.problems


def test_filters_across_slabs(stored, monkeypatch):
    monkeypatch.setattr(passes, "SLAB_BYTES", 1000)
    values = np.random.default_rng(4).random((3, 3, 40, 33), dtype=np.float32)
    found = weights.statistics(stored(values, "layers/conv2d/vars/0"))
    expected = np.sqrt((values.astype(np.float64) ** 2).sum(axis=(0, 1, 2)))
    assert found.filters == pytest.approx(expected, rel=1e-5)


def test_variances_at_zero(tmp_path):
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        for number in range(4):
            file[f"layers/batch_normalization/vars/{number}"] = np.ones(4, np.float32)
        file["layers/batch_normalization/vars/3"][...] = [1, 0, 2, -1]
    with weights.open(tmp_path / "x.weights.h5") as table:
        found = weights.statistics(table)[3]
    assert found.tensor.role == "moving_variance"
    assert found.bad_variances == (1, 3)


def test_histogram(stored):
    values = np.random.default_rng(5).normal(size=100_000).astype(np.float32)
    values[:3] = np.nan, np.inf, -np.inf
    counts, edges = weights.histogram(stored(values), bins=20)
    finite = values[3:]
    expected = np.histogram(finite, 20, (finite.min(), finite.max()))
    assert counts.sum() == finite.size
    assert np.abs(counts - expected[0]).max() <= 2
    assert edges == pytest.approx(expected[1], rel=1e-6)
    assert weights.histogram(stored(np.ones(5)), bins=4)[0].sum() == 5


def bytes_read():
    """What this process has read from files so far; a chunk is read as often as it is unpacked."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counts["rchar"])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="reads are counted on Linux alone")
@pytest.mark.parametrize("chunks", [(2048, 16), (2048, 1024), (100, 100), (1, 2000)])
def test_slabs_of_packed_values_unpack_every_chunk_once(tmp_path, chunks):
    values = np.random.default_rng(6).random((2048, 2048), dtype=np.float32).round(1)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=chunks, compression=1)
    with weights.open(tmp_path / "x.h5") as table:
        (tensor,) = table.tensors
        tensor.read_slice("[0, 0]")
        before = bytes_read()
        slabs = list(tensor.slabs(passes.SLAB_BYTES))
        assert bytes_read() - before < 2 * (tmp_path / "x.h5").stat().st_size
    assert max(slab.nbytes for slab in slabs) <= passes.SLAB_BYTES
    assert np.array_equal(np.concatenate(slabs), values.ravel())


def test_progress_and_calling_off(stored):
    tensor = stored(np.zeros(1_000_000, np.float32))
    steps = []
    weights.statistics(tensor, progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (4_000_000, 4_000_000)
    assert steps == sorted(steps)
    with pytest.raises(weights.Cancelled):
        weights.statistics(tensor, cancelled=lambda: True)
    with pytest.raises(weights.Cancelled):
        weights.statistics([tensor] * 5, cancelled=lambda: True)
