"""`cnnblocks datasets`, as a process."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def run(tmp_path):
    def datasets(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "cnnblocks", "datasets", *arguments],
            capture_output=True, text=True, cwd=tmp_path,
        )  # fmt: skip

    return datasets


@pytest.fixture
def pets(tmp_path):
    for name, count in (("cat", 20), ("dog", 10)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(count):
            image = Image.fromarray(np.full((8, 6, 3), i, np.uint8))
            image.save(tmp_path / "pets" / name / f"{i:02}.png")
    return tmp_path / "pets"


def test_list(run):
    text = run()
    assert text.returncode == 0
    assert text.stdout.splitlines()[0].endswith("1,797 handwritten digits, 8x8 grey  (here)")
    listed = json.loads(run("--json").stdout)
    assert listed["schema"] == 1
    names = [entry["name"] for entry in listed["datasets"]]
    assert names == ["digits", "mnist", "fashion_mnist", "cifar10", "cifar100"]


def test_describe_a_folder(run, pets):
    text = run("pets").stdout
    assert "8 x 6 x 3, in files" in text
    assert "dog                  train 7  validation 1  test 2" in text
    assert "held out" in text
    facts = json.loads(run("pets", "--json").stdout)
    assert facts["source"] == str(pets)
    assert facts["splits"] == {"train": 21, "validation": 3, "test": 6}


def test_describe_digits(run):
    text = run("digits").stdout
    assert "train          1,295" in text
    assert "8 x 8 x 1, in memory" in text


def test_corrupt_images(run, pets):
    (pets / "cat" / "00.png").write_text("no image")
    stopped = run("pets")
    assert stopped.returncode == 2
    assert stopped.stdout == ""
    assert stopped.stderr.startswith("Error: ") and "00.png is not an image" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    skipped = run("pets", "--skip-corrupt")
    assert "skipped  1 unreadable" in skipped.stdout


def test_mistakes_and_help(run):
    unknown = run("cifar")
    assert unknown.returncode == 2
    assert "Did you mean cifar10?" in unknown.stderr
    assert len(unknown.stderr.splitlines()) == 1
    assert "Examples:" in run("--help").stdout
