"""What the tests of weight files share."""

import json
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

# For `originals`, which several test files use.
sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class RealFiles:
    """Files that `real_files.py` wrote, and what it expects in them."""

    directory: Path

    def __truediv__(self, name):
        return self.directory / name

    def weights(self, model):
        """Return the names and values of a model's weights, in its order."""
        names = json.loads((self / "expected.json").read_text())[model]
        with np.load(self / "expected.npz") as arrays:
            return [(name, arrays[f"{model}/{number}"]) for number, name in enumerate(names)]

    def seeds(self, directory):
        """Return files of every format, for mutants."""
        with zipfile.ZipFile(self / "k3.keras") as archive:
            packed = directory / "packed.keras"
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
                for name in archive.namelist():
                    target.writestr(name, archive.read(name))
        chunked = directory / "chunked.h5"
        with h5py.File(chunked, "w", libver="latest") as file:
            values = np.linspace(0, 1, 1152, dtype=np.float32).reshape(3, 3, 8, 16)
            group = file.create_group("layers/conv2d/vars")
            group.attrs["name"] = "conv"
            group.create_dataset(
                "0", data=values, chunks=(3, 3, 2, 16), compression=4, fletcher32=True
            )
        text = directory / "short.txt"
        text.write_text("a/kernel:0\n(2, 2)\n[[1.0 2.0]\n [3.0 4.0]]\nb:0\n(1,)\n[1.0]\n")
        data = directory / "tfk.ckpt.data-00000-of-00001"
        data.write_bytes((self / data.name).read_bytes())
        names = ["k3.weights.h5", "k3.keras", "bfloat16.weights.h5", "tfk.h5", "tfk_whole.h5"]
        return [
            *(self / name for name in (*names, "k3_whole.h5", "subclassed.h5", "tfk.ckpt.index")),
            packed,
            chunked,
            text,
        ]


@pytest.fixture(scope="session")
def real_files(tmp_path_factory):
    """Files of real engines, written once for all of pytest's workers.

    `CNNBLOCKS_REAL_FILES` may name a directory where `real_files.py` wrote them before.
    """
    if "CNNBLOCKS_REAL_FILES" in os.environ:
        return RealFiles(Path(os.environ["CNNBLOCKS_REAL_FILES"]))
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    directory = base / "real-weight-files"
    done = directory / "done"
    try:
        directory.mkdir()
    except FileExistsError:
        for _ in range(600):
            if done.exists():
                break
            time.sleep(0.5)
    else:
        script = Path(__file__).with_name("real_files.py")
        found = subprocess.run(
            [sys.executable, script, directory],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert found.returncode == 0, found.stderr[-3000:]
        done.touch()
    assert done.exists()
    return RealFiles(directory)
