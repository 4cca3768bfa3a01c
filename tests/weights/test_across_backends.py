"""What one backend saves, the others load, and compute the same from."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("across_backends.py")
INSTALLED = [name for name in ("tensorflow", "jax", "torch") if find_spec(name)]


@pytest.mark.slow
@pytest.mark.skipif(len(INSTALLED) < 2, reason="only one backend is installed")
def test_files_of_one_backend_load_on_the_others_and_compute_the_same(tmp_path):
    processes = {name: _start(name, tmp_path) for name in INSTALLED}
    try:
        for name, process in processes.items():
            assert process.stdout.readline() == "saved\n", name
        for name, process in processes.items():
            others = " ".join(str(tmp_path / other) for other in INSTALLED if other != name)
            output, _ = process.communicate(others + "\n", timeout=400)
            assert process.returncode == 0, name
            loaded = {tuple(line.split()[1:]) for line in output.splitlines()}
            saved = {path.stem for path in (tmp_path / name).glob("*.keras")}
            assert loaded == {
                (other, model) for other in INSTALLED if other != name for model in saved
            }
    finally:
        for process in processes.values():
            process.kill()


def _start(backend, folder):
    return subprocess.Popen(
        [sys.executable, SCRIPT, folder],
        env=os.environ
        | {"KERAS_BACKEND": backend, "XLA_FLAGS": "--xla_backend_optimization_level=0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
