"""Comparison of files: by name, by structure, with odd values, across formats."""

import math
import shutil

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cnnblocks import weights


def keras3(path, layers):
    """Write a `.weights.h5` of some dense layers: kernel and bias by name."""
    with h5py.File(path, "w") as file:
        for number, (name, values) in enumerate(layers.items()):
            group = file.create_group(f"layers/dense{f'_{number}' if number else ''}/vars")
            group.attrs["name"] = name
            group["0"] = np.asarray(values, np.float32)
            group["1"] = np.zeros(np.shape(values)[-1], np.float32)
    return path


def legacy(path, layers):
    """Write the same as tf.keras does."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, values in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group[f"{name}/kernel:0"] = np.asarray(values, np.float32)
            group[f"{name}/bias:0"] = np.zeros(np.shape(values)[-1], np.float32)
    return path


KERNEL = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("a", "b", "by"),
    [
        ("k3.weights.h5", "k3.keras", {"path"}),
        ("k3.weights.h5", "k3_shards.weights.json", {"path"}),
        ("k3.keras", "k3_whole.h5", {"name"}),
        ("tfk.h5", "tfk_whole.h5", {"path"}),
        ("tfk.h5", "tfk.ckpt", {"name"}),
        ("tfk.ckpt", "tfk.weights.h5", {"name", "structure"}),
        ("tfk.h5", "tfk.weights.h5", {"name", "structure"}),
    ],
)
def test_one_model_in_two_formats_is_equal(real_files, a, b, by):
    found = weights.diff(real_files / a, real_files / b)
    assert found.equal
    assert len(found.common) == 15
    assert {row.by for row in found.common} == by
    assert [row.cosine for row in found.common] == pytest.approx([1] * 15)


def test_a_dump_is_equal_to_its_decimals(real_files):
    found = weights.diff(real_files / "tfk.h5", real_files / "tfk.txt", atol=1e-7)
    assert all(row.equal for row in found.common)
    # The courses write what is trained: no moving statistics, no frozen layer.
    assert {t.role for t in found.only_a if t.layer != "stem"} == {"moving_mean", "moving_variance"}
    assert not found.equal


def test_half_precision_is_near(real_files, tmp_path):
    found = weights.diff(real_files / "k3.weights.h5", real_files / "bfloat16.weights.h5")
    assert len(found.common) == 15
    assert not found.equal
    assert {row.b.dtype for row in found.common} == {"bfloat16"}


def test_the_figures(tmp_path):
    a = keras3(tmp_path / "a.h5", {"x": KERNEL})
    b = keras3(tmp_path / "b.h5", {"x": KERNEL + [[0, 0, 0.5], [0, -0.25, 0]]})
    row = weights.diff(a, b).common[0]
    assert (row.different, row.max_abs, row.equal) == (2, 0.5, False)
    assert row.mean_abs == pytest.approx(0.75 / 6)
    assert row.relative == pytest.approx(math.sqrt(0.3125) / math.sqrt(55))
    one, other = KERNEL.ravel(), (KERNEL + [[0, 0, 0.5], [0, -0.25, 0]]).ravel()
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert row.cosine == pytest.approx(cosine)


def test_tolerances(tmp_path):
    a = keras3(tmp_path / "a.h5", {"x": KERNEL})
    b = keras3(tmp_path / "b.h5", {"x": KERNEL * 1.01})
    assert not weights.diff(a, b, atol=0.01).equal
    assert weights.diff(a, b, atol=0.06).equal
    assert weights.diff(a, b, rtol=0.01).equal


def test_tensors_in_one_file_only_and_changed_shapes(tmp_path):
    a = legacy(tmp_path / "a.h5", {"x": KERNEL, "gone": KERNEL, "head": KERNEL})
    b = legacy(tmp_path / "b.h5", {"x": KERNEL, "head": np.zeros((2, 4)), "new": KERNEL})
    found = weights.diff(a, b)
    assert [tensor.layer for tensor in found.only_a] == ["gone", "gone"]
    assert [tensor.layer for tensor in found.only_b] == ["new", "new"]
    head = next(row for row in found.common if row.a.name == "head/kernel:0")
    assert not head.same_shape
    assert not head.equal
    assert head.to_json()["max_abs"] is None


def test_automatic_names_that_kept_counting(tmp_path):
    a = legacy(tmp_path / "a.h5", {"dense": KERNEL, "dense_1": -KERNEL, "head": KERNEL})
    b = legacy(tmp_path / "b.h5", {"dense_7": KERNEL, "dense_8": -KERNEL, "head": KERNEL})
    assert weights.diff(a, b).equal
    c = legacy(tmp_path / "c.h5", {"dense_7": KERNEL, "dense_8": -KERNEL})
    d = legacy(tmp_path / "d.h5", {"dense": KERNEL, "dense_1": -KERNEL})
    assert {row.by for row in weights.diff(c, d).common} == {"structure"}


def test_names_that_share_nothing_across_formats(tmp_path):
    a = keras3(tmp_path / "a.weights.h5", {"first": KERNEL, "second": KERNEL.T})
    b = legacy(tmp_path / "b.h5", {"one": KERNEL, "two": KERNEL.T})
    found = weights.diff(a, b)
    assert found.equal
    assert {row.by for row in found.common} == {"structure"}


def test_the_state_of_optimizers_only_if_asked(real_files):
    whole, alone = real_files / "tfk_whole.h5", real_files / "tfk.h5"
    assert weights.diff(whole, alone).equal
    found = weights.diff(whole, alone, optimizer=True)
    assert {tensor.role for tensor in found.only_a} == {"optimizer"}


floats = st.floats(width=32, allow_subnormal=False)


@given(npst.arrays(np.float32, 12, elements=floats), npst.arrays(np.float32, 12, elements=floats))
def test_odd_values(tmp_path_factory, a, b):
    directory = tmp_path_factory.mktemp("odd")
    paths = [
        keras3(directory / name, {"x": values.reshape(3, 4)})
        for name, values in (("a.h5", a), ("b.h5", b))
    ]
    row = weights.diff(*paths).common[0]
    assert row.different == np.count_nonzero(~((a == b) | (np.isnan(a) & np.isnan(b))))
    assert weights.diff(paths[0], paths[0]).equal
    shutil.rmtree(directory)


def test_slabs_of_different_sizes(tmp_path):
    values = np.random.default_rng(0).random((7, 300, 500), dtype=np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = values
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("x", data=values.astype("f8"), chunks=(2, 77, 500), compression=1)
    assert weights.diff(tmp_path / "a.h5", tmp_path / "b.h5").equal


def test_how_far_layers_moved(tmp_path):
    paths = [
        legacy(tmp_path / f"{n}.h5", {f"dense_{n}": KERNEL * 2**n, "still": KERNEL})
        for n in range(3)
    ]
    moved = {row.layer: row for row in weights.movement(paths)}
    assert moved["dense_0"].steps == pytest.approx([1, 1])
    assert moved["dense_0"].total == pytest.approx(3)
    assert moved["still"].steps == [0, 0]


def test_one_pair_at_a_time(tmp_path):
    paths = [keras3(tmp_path / f"{n}.h5", {"x": KERNEL + n, "y": KERNEL}) for n in range(2)]
    with weights.open(paths[0]) as a, weights.open(paths[1]) as b:
        pairs = weights.pair(a, b)
        rows = [weights.compare(pairing) for pairing in pairs.matched]
    assert [row.equal for row in rows] == [False, True, True, True]
