"""Time until the first sign of life: imports, help, the inspector, as fresh processes."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import report

REPEATS = 5


def seconds(*command):
    """Median wall time of a command in fresh processes, after one to warm the disk."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main():
    python, module = sys.executable, [sys.executable, "-m", "cnnblocks"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.weights.h5"
        with h5py.File(path, "w") as file:
            file["layers/dense/vars/0"] = np.zeros((10, 10), "float32")
        commands = {
            "python -c pass": [python, "-c", "pass"],
            "import numpy, h5py": [python, "-c", "import numpy, h5py"],
            "import textual.app": [python, "-c", "import textual.app"],
            "import cnnblocks": [python, "-c", "import cnnblocks"],
            "import cnnblocks.weights": [python, "-c", "import cnnblocks.weights"],
            "cnnblocks --help": [*module, "--help"],
            "cnnblocks train --help": [*module, "train", "--help"],
            "cnnblocks weights show": [*module, "weights", "show", str(path)],
            "cnnblocks runs": [*module, "runs", "--runs-dir", folder],
            "cnnblocks-tui --help": [python, "-m", "cnnblocks_tui", "--help"],
            "import keras (TensorFlow)": [python, "-c", "import keras"],
        }
        rows = [[name, seconds(*command)] for name, command in commands.items()]
    report.write("startup", "Start-up times", report.table(["command", "seconds"], rows))


if __name__ == "__main__":
    main()
