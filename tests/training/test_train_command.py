"""`cnnblocks train` and `cnnblocks recipe` as a person runs them."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from cnnblocks.runs import RunDirectory


def cnnblocks(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "cnnblocks", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A short training with everything written that can be."""
    place = tmp_path_factory.mktemp("trained")
    result = cnnblocks(
        *"train lenet5 --data digits --epochs 2 --input-shape 16x16x1 --seed 1 --summary".split(),
        *"--checkpoint-every 1 --csv --dump-weights --set warmup=0.1".split(),
        cwd=place,
    )
    assert result.returncode == 0, result.stderr
    return result, RunDirectory.open("last", place / "runs")


@pytest.mark.slow
def test_a_training_shows_layers_epochs_accuracy_and_files(trained):
    result, run = trained
    lines = result.stdout.splitlines()
    assert any("stage1_conv" in line and "156" in line for line in lines)
    assert [line.split()[1] for line in lines if line.startswith("epoch ")] == ["1/2", "2/2"]
    assert re.search(r"test accuracy 0\.\d{4}, loss \d\.\d{4} on 3\d\d images", result.stdout)
    assert "val_accuracy" in result.stdout
    assert f"files: {run.path}" in lines
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_training_leaves_everything_in_its_directory(trained):
    _, run = trained
    assert run.state == "finished"
    for name in ("model.keras", "weights.weights.h5", "weights.txt", "log.csv"):
        assert (run.path / name).exists(), name
    assert [c.name for c in run.checkpoints] == ["epoch-0001", "epoch-0002", "best", "last"]
    assert [row["epoch"] for row in run.history] == [1, 2]
    names = [event["event"] for event in run.events]
    assert names[0] == "run_start" and names[-1] == "run_end" and "evaluation" in names
    assert names.count("epoch_start") == names.count("epoch_end") == 2
    ends = [event for event in run.events if event["event"] == "epoch_end"]
    assert set(ends[0]["metrics"]) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert ends[0]["images_per_second"] > 0 and ends[1]["learning_rate"] > 0
    assert run.config["recipe"]["warmup"] == 0.1
    text = (run.path / "weights.txt").read_text()
    assert "stage1_conv/kernel:0" in text


@pytest.mark.slow
def test_a_run_is_repeated_by_like_to_the_last_bit(trained):
    _, run = trained
    result = cnnblocks("train", "--like", run.path, "--json", cwd=run.path.parent.parent)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    again = RunDirectory(found["path"])
    assert again.config["recipe"] == run.config["recipe"]
    metrics = [
        [{k: row[k] for k in ("loss", "val_loss")} for row in r.history] for r in (run, again)
    ]
    assert metrics[0] == metrics[1]
    assert found["test"]["metrics"]["accuracy"] == pytest.approx(
        [e for e in run.events if e["event"] == "evaluation"][-1]["metrics"]["accuracy"]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bright and dark images with noise, three times as many dark ones."""
    place = tmp_path_factory.mktemp("folder")
    generator = np.random.default_rng(0)
    for name, level, count in (("bright", 180, 12), ("dark", 60, 36)):
        (place / name).mkdir()
        for number in range(count):
            pixels = generator.normal(level, 20, (20, 24, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / name / f"{number}.png")
    return place


@pytest.mark.slow
def test_a_head_is_trained_on_a_folder_from_a_file_of_weights(trained, folder):
    _, run = trained
    result = cnnblocks(
        *("train", "lenet5", "--data", folder, "--epochs", 6, "--input-shape", "16x16x1"),
        *("--weights", run.path / "model.keras", "--freeze", "backbone"),
        *("--class-weights", "balanced", "--batch-size", 8, "--json"),
        cwd=folder.parent,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["state"] == "finished"
    tuned = RunDirectory(found["path"])
    assert tuned.config["data"]["class_names"] == ["bright", "dark"]
    assert found["test"]["metrics"]["accuracy"] > 0.8
    import h5py

    with h5py.File(run.path / "weights.weights.h5") as old:
        before = old["layers/conv2d/vars/0"][()]
    with h5py.File(tuned.path / "weights.weights.h5") as new:
        np.testing.assert_array_equal(new["layers/conv2d/vars/0"][()], before)
        assert new["layers/dense_2/vars/0"].shape == (84, 2)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("train", "Name a network and its data"),
        ("train lenet5", "Name a network and its data"),
        ("train lenet5 --data digits --learning-rate -1", "learning_rate must be a number above 0"),
        ("train lenet5 --data digits --epochs 0", "epochs must be a whole number"),
        ("train lenet5 --data digits --set momentun=1", "Did you mean 'momentum'?"),
        ("train lenet5 --data digits --set momentum", "expected NAME=VALUE"),
        ("train lenet5 --data digits --device gpu:x", "The device must be auto, cpu, gpu"),
        ("train lenet5 --data digits --like nothing", "No run 'nothing'"),
        pytest.param(
            "train lenet5 --data digits --tensorboard",
            "pip install tensorboard",
            marks=pytest.mark.skipif(
                find_spec("tensorboard") is not None, reason="TensorBoard is installed"
            ),
        ),
        ("train lenet5 --data digits --set augmentation.flip=yes", "flip must be true or false"),
        ("recipe resnet50 original", "resnet50 has no recipe 'original'"),
    ],
)
def test_a_mistake_is_told_in_a_line_and_leaves_no_run(arguments, expected, tmp_path):
    result = cnnblocks(*arguments.split(), cwd=tmp_path)
    assert result.returncode == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()


def test_a_recipe_is_toml_that_train_takes(tmp_path):
    shown = cnnblocks("recipe", "nin", "original", cwd=tmp_path).stdout
    assert tomllib.loads(shown)["learning_rate"] == 1e-7
    (tmp_path / "mine.toml").write_text(shown.replace("epochs = 5", "epochs = 0"))
    result = cnnblocks(*"train nin --data digits --config mine.toml".split(), cwd=tmp_path)
    assert "epochs must be" in result.stderr


def test_an_entry_set_joins_the_table_of_the_file(tmp_path):
    (tmp_path / "mine.toml").write_text("[augmentation]\ncutout = -1\n")
    how = "train lenet5 --data digits --config mine.toml --epochs 1 --train-images 32"
    result = cnnblocks(*how.split(), "--set", "augmentation.flip=true", cwd=tmp_path)
    assert result.returncode == 2
    assert "cutout must be 0 or more" in result.stderr


@pytest.mark.slow
def test_the_demonstration_reads_digits(tmp_path):
    result = cnnblocks(*"train lenet5 --data digits --seed 1 --json".split(), cwd=tmp_path)
    assert json.loads(result.stdout)["test"]["metrics"]["accuracy"] >= 0.97
