"""The commands `cnnblocks weights show, stats, diff, extract, slice`."""

import csv
import json
import shutil

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from cnnblocks import weights
from cnnblocks.cli import cnnblocks
from cnnblocks.errors import CnnblocksError
from cnnblocks.weights.formats import text


def run(*arguments, status=0):
    """Run a command and return what it printed; a user's mistake counts as status 2."""
    done = CliRunner().invoke(cnnblocks, ["weights", *map(str, arguments)])
    if isinstance(done.exception, CnnblocksError):
        assert status == 2
        return str(done.exception)
    assert done.exit_code == status, (done.output, done.exception)
    return done.stdout if status < 2 else done.stderr


def test_show_json(real_files):
    found = json.loads(run("show", real_files / "tfk_whole.h5", "--json"))
    assert found["schema"] == 1
    assert found["format"] == "legacy-model"
    assert found["totals"] == {"tensors": 15, "parameters": 550, "bytes": 2200}
    assert found["optimizer"]["tensors"] == len(found["tensors"]) - 15 > 20
    assert found["tensors"][0] == {
        "path": "model_weights/stem/stem/kernel:0",
        "name": "stem/kernel:0",
        "layer": "stem",
        "role": "kernel",
        "shape": [3, 3, 3, 4],
        "axes": ["height", "width", "in", "out"],
        "dtype": "float32",
        "bytes": 432,
        "trainable": False,
    }
    assert found["metadata"]["has_model_config"] is True
    assert {tensor["role"] for tensor in found["tensors"]} <= set(weights.ROLES)


def test_show_a_tree(real_files):
    text = run("show", real_files / "k3.keras")
    assert "inner" in text
    assert "depthwise_kernel  3 x 3 x 5 x 1  (height, width, in, multiplier)" in text
    assert "15 tensors, 550 parameters, 2.2 kB" in text
    assert "momentum" not in text
    shallow = run("show", real_files / "k3.keras", "--depth", 1)
    assert "inner" in shallow
    assert "depthwise_conv2d" not in shallow


def test_show_a_pattern(real_files):
    text = run("show", real_files / "k3.keras", "--table", "-p", "*kernel*", "-p", "dense")
    assert text.count("kernel") >= 5
    assert "gamma" not in text
    message = run("show", real_files / "k3.keras", "-p", "stm", status=2)
    assert "Did you mean: stem" in message


def test_show_several(real_files):
    found = json.loads(run("show", real_files.directory, "--json"))
    names = [row["path"].rpartition("/")[2] for row in found["files"]]
    assert "tfk.ckpt" in names
    assert "k3_shards.weights.json" in names
    assert "k3_shards_00000.weights.h5" not in names
    assert "legacy-weights" in run("show", real_files / "tfk*.h5")
    assert "No file matches" in run("show", real_files / "nothing*.h5", status=2)


def test_stats(real_files):
    text = run("stats", real_files / "tfk.h5", "-p", "*kernel*")
    assert "median" in text
    assert text.count("kernel:0") == 6
    found = json.loads(run("stats", real_files / "tfk.h5", "--json", "--exact"))
    with weights.open(real_files / "tfk.h5") as table:
        values = table.tensors[0].read()
    assert found["tensors"][0]["mean"] == pytest.approx(values.mean())
    assert found["tensors"][0]["quantiles"]["0.5"] == pytest.approx(np.median(values))


def test_stats_of_what_is_wrong(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a/kernel"] = np.array([[np.nan, 1], [np.inf, 2]])
        file["b/kernel"] = np.ones((2, 2))
    text = run("stats", tmp_path / "x.h5", "--problems")
    assert "1 NaN, 1 infinite" in text
    assert "b/kernel" not in text


def test_stats_of_the_checkpoints_of_a_run(tmp_path):
    for epoch in (2, 10, 1):
        with h5py.File(tmp_path / f"epoch-{epoch}.weights.h5", "w") as file:
            file["layers/dense/vars/0"] = np.full((2, 2), float(epoch))
    found = json.loads(run("stats", tmp_path, "--json"))
    assert [name[-15:-11] for name in found["files"]] == ["ch-1", "ch-2", "h-10"]
    assert found["layers"] == [{"layer": "dense", "steps": [1.0, 4.0], "total": 9.0}]
    assert "900.00%" in run("stats", tmp_path / "*.weights.h5")


def test_diff(real_files, tmp_path):
    a, b = real_files / "tfk.h5", real_files / "tfk.ckpt"
    assert "15 equal, 0 different" in run("diff", a, b)
    text = run("diff", a, real_files / "tfk.txt", status=1)
    assert "only in A: batch_normalization/moving_mean:0" in text
    changed = tmp_path / "changed.h5"
    shutil.copy(a, changed)
    with h5py.File(changed, "a") as file:
        file["stem/stem/bias:0"][0] += 1
    found = json.loads(run("diff", a, changed, "--json", status=1))
    assert found["schema"] == 1
    assert not found["equal"]
    assert sum(not row["equal"] for row in found["common"]) == 1
    run("diff", a, changed, "--atol", "1.01")
    assert "no such file" in run("diff", a, tmp_path / "none.h5", status=2)
    run("diff", a, changed, "--atol", "-1", status=2)


def test_extract(real_files, tmp_path):
    source = real_files / "tfk.h5"
    run("extract", source, "-o", tmp_path / "all.npz")
    with weights.open(source) as table, np.load(tmp_path / "all.npz") as arrays:
        assert set(arrays) == {tensor.path for tensor in table.tensors}
        kernel = table["stem/kernel:0"].read()
        assert np.array_equal(arrays["stem/stem/kernel:0"], kernel)
    run("extract", source, "stem/kernel:0", "-o", tmp_path / "one.npy")
    assert np.array_equal(np.load(tmp_path / "one.npy"), kernel)
    run("extract", source, "stem/kernel:0", "-o", tmp_path / "one.csv")
    rows = list(csv.reader((tmp_path / "one.csv").open()))
    assert rows[0] == ["height", "width", "in", "out0", "out1", "out2", "out3"]
    assert np.array_equal(np.float32(rows[-1][3:]), kernel[2, 2, 2])
    run("extract", source, "dense/bias:0", "-o", tmp_path / "bias.csv")
    assert len((tmp_path / "bias.csv").read_text().splitlines()) == 3
    run("extract", source, "-o", tmp_path / "all.txt")
    assert weights.diff(source, tmp_path / "all.txt").equal
    assert not list(tmp_path.glob(".partial*"))


def test_extract_refuses(real_files, tmp_path):
    source = real_files / "tfk.h5"
    assert "one tensor" in run("extract", source, "-o", tmp_path / "x.npy", status=2)
    assert ".npz" in run("extract", source, "-o", tmp_path / "x.zip", status=2)
    (tmp_path / "x.npz").write_text("mine")
    run("extract", source, "-o", tmp_path / "x.npz", status=2)
    assert (tmp_path / "x.npz").read_text() == "mine"
    run("extract", source, "-o", tmp_path / "x.npz", "--force")
    missing = run("extract", source, "-o", tmp_path / "none" / "x.npz", status=2)
    assert "there is no directory" in missing


def test_extract_keeps_tensors_of_one_name(tmp_path):
    names = ["a/kernel:0", "a/kernel:0", "a/kernel:0_2", "a/kernel:0"]
    text.write(tmp_path / "x.txt", [(name, np.full(2, n)) for n, name in enumerate(names)])
    run("extract", tmp_path / "x.txt", "-o", tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as arrays:
        assert {name: values[0] for name, values in arrays.items()} == {
            "a/kernel:0": 0,
            "a/kernel:0_2": 2,
            "a/kernel:0_3": 1,
            "a/kernel:0_4": 3,
        }


def test_slice(real_files):
    source = real_files / "tfk.h5"
    with weights.open(source) as table:
        kernel = table["stem/kernel:0"].read()
    assert run("slice", source, "stem/kernel:0", "[:, :, 0, 3]") == f"{kernel[:, :, 0, 3]}\n"
    found = json.loads(run("slice", source, "stem/kernel:0", "[-1, ..., ::2]", "--json"))
    assert found["shape"] == [3, 3, 2]
    assert np.array_equal(np.float32(found["values"]), kernel[-1, ..., ::2])
    assert "Index 9" in run("slice", source, "stem/kernel:0", "[9]", status=2)
    assert "Did you mean" in run("slice", source, "stem/kernle:0", status=2)
    assert "Name one" in run("slice", source, "*kernel*", status=2)
