import csv
import io
import json
import subprocess
import sys

import keras
import pytest
from click.testing import CliRunner

import cnnblocks
from cnnblocks.cli import cnnblocks as command
from cnnblocks.errors import CnnblocksError


@pytest.fixture
def run():
    def summary(*arguments):
        result = CliRunner().invoke(command, ["summary", *map(str, arguments)])
        if isinstance(result.exception, CnnblocksError):
            raise result.exception
        return result

    return summary


@pytest.fixture
def saved(tmp_path):
    cnnblocks.create("lenet5", (28, 28, 1)).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def test_a_network_as_text(run):
    result = run("lenet5", "--input-shape", "28x28x1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["Layer", "Type", "Kernel"]
    assert lines[3].split()[:5] == ["stage1_conv", "Conv2D", "5x5", "24x24x6", "156"]
    assert "44,426 parameters" in result.stdout
    assert "281,640 multiply-adds for one image" in result.stdout


def test_the_form_of_a_network_is_chosen_by_options(run):
    result = run(
        *("resnet18", "--input-shape", "224x224x3", "--num-classes", 1000),
        *("--network-arg", "stem=imagenet", "--batch-size", 8, "--json"),
    )
    content = json.loads(result.stdout)
    assert content["schema"] == 1
    assert content["totals"]["trainable_parameters"] == 11_689_512
    assert content["totals"]["multiply_adds"] == pytest.approx(1.82e9, rel=0.01)
    assert content["batch_size"] == 8


def test_depth_closes_blocks(run):
    opened, closed = run("resnet18", "--csv"), run("resnet18", "--csv", "--depth", 0)
    rows = list(csv.DictReader(io.StringIO(closed.stdout)))
    assert [row["path"] for row in rows][:3] == ["images", "stem_conv", "stage1_block1"]
    assert len(opened.stdout.splitlines()) > 3 * len(closed.stdout.splitlines())


def test_markdown(run):
    assert run("lenet5", "--markdown").stdout.startswith("| Layer | Type |")


def test_explaining_a_layer(run):
    result = run("lenet5", "--input-shape", "28x28x1", "--explain", "stage2_conv")
    assert "Parameters       5 x 5 x 6 x 16 + 16 = 2,416" in result.stdout


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_saved_model(suffix, run, saved):
    path = saved.with_suffix(suffix)
    keras.models.load_model(saved).save(path)
    content = json.loads(run(path, "--json").stdout)
    assert content["model"] == "lenet5"
    assert content["totals"]["parameters"] == 44_426


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenet6"], "Did you mean 'lenet"),
        (["lenet5", "--input-shape", "8x8x1"], "smallest images it takes are 16x16"),
        (["lenet5", "--network-arg", "wdith=2"], "Did you mean 'width'"),
        (["lenet5", "--explain", "stage9"], "no layer 'stage9'"),
        (["nothing.keras"], "There is no file nothing.keras"),
    ],
)
def test_mistakes_are_explained(arguments, message, run):
    with pytest.raises(CnnblocksError, match=message):
        run(*arguments)


@pytest.mark.parametrize("name", ["broken.keras", "broken.h5"])
def test_a_broken_file_is_one_line(name, run, tmp_path):
    (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(CnnblocksError, match="Keras cannot load a model") as caught:
        run(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_file_of_weights_leads_to_the_right_command(run, tmp_path):
    path = tmp_path / "only.weights.h5"
    cnnblocks.create("lenet5").save_weights(path)
    with pytest.raises(CnnblocksError, match="cnnblocks weights show"):
        run(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenet5", "--json", "--csv"], "Choose one of --json, --csv"),
        (["lenet5", "--input-shape", "32x32"], "expected a size such as 64x64x3"),
        (["lenet5", "--network-arg", "width"], "expected NAME=VALUE"),
        (["model.keras", "--num-classes", "3"], "go with a network, not a file"),
    ],
)
def test_wrong_usage_is_status_2(arguments, message, run):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_as_a_process(saved):
    finished = subprocess.run(
        [sys.executable, "-m", "cnnblocks", "summary", saved, "--depth", "0"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert "44,426 parameters" in finished.stdout
    assert finished.stderr == ""
