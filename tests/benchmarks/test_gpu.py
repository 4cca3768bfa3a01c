"""The benchmark for GPUs runs to its end on a CPU, on backends other than TensorFlow."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_every_part_is_measured_and_never_twice(tmp_path):
    command = ["--smoke", "--backends", "torch", "--networks", "lenet5", "--results", tmp_path]
    result = run(*command)
    assert result.returncode == 0, result.stderr[-3000:]
    for title in ("Time to accuracy", "Speed of training", "Accuracy", "`cnnblocks compare`"):
        assert f"## {title}" in result.stdout, result.stdout
    assert "What failed" not in result.stdout, result.stdout
    assert (tmp_path / "gpu-smoke.md").read_text() in result.stdout
    again = run(*command, "--seconds", 0)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "..." not in again.stderr


def test_no_part_is_begun_without_time(tmp_path):
    result = run("--smoke", "--parts", "accuracy", "--seconds", 0, "--results", tmp_path)
    assert result.returncode == 1
    assert "The same command goes on with what is missing." in result.stderr


def test_what_needs_images_says_so(tmp_path):
    result = run("--parts", "speedrun", "--results", tmp_path)
    assert result.returncode == 2
    assert "need --data" in result.stderr
