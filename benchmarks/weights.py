"""Listing, statistics and comparison of large weight files, against h5py and NumPy alone.

Two files of 500 float32 tensors, 1 GB each, are written to a temporary directory (`--directory`
to choose where). Every figure is the best of several runs with the files in the page cache:

- listing: `weights.open` against h5py's `visititems` that takes every name, shape and dtype, and
  both as processes of their own, h5glance too if it is installed;
- statistics: `weights.statistics` against NumPy's min, max, mean and std over the same arrays
  already in memory, and against reading every array with h5py;
- comparison: `weights.diff` against one `weights.statistics`;
- memory: the peak of a process that computes the statistics, and that compares.

Run `python benchmarks/weights.py`; with `--tensors 50` it takes a tenth of the time.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import report

from cnnblocks import weights

SHAPE = (3, 3, 228, 256)
MEGABYTE = 1e6
PEAK = """
import resource, sys
from cnnblocks import weights
{work}
unit = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
"""
WORK = {
    "statistics": "with weights.open(sys.argv[1]) as table: weights.statistics(table)",
    "diff": "weights.diff(sys.argv[1], sys.argv[2])",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tensors", type=int, default=500, help="how many tensors a file has")
    parser.add_argument("--repeat", type=int, default=5, help="runs of which the best counts")
    parser.add_argument("--directory", type=Path, help="where the temporary files go")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        paths = [Path(directory) / f"{name}.weights.h5" for name in "ab"]
        for seed, path in enumerate(paths):
            write(path, seed, arguments.tensors)
        measure(paths, arguments.repeat)


def write(path: Path, seed: int, tensors: int) -> None:
    """Write convolution kernels as Keras 3 lays them out."""
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        for number in range(tensors):
            group = file.create_group(f"layers/conv2d{f'_{number}' if number else ''}/vars")
            group.attrs["name"] = f"conv{number}"
            group["0"] = rng.standard_normal(SHAPE, np.float32) * np.float32(0.05)


def measure(paths: list[Path], repeat: int) -> None:
    path = paths[0]
    size = path.stat().st_size / MEGABYTE
    # First of all: a process starts with the peak of the one that it comes from.
    peaks = {name: peak(work, paths) for name, work in WORK.items()}
    with weights.open(path) as table:
        count = len(table.tensors)
    numpy = best_of_numpy(path, repeat)
    visit, listing = best(lambda: visit_items(path), repeat), best(lambda: list_file(path), repeat)
    reading = best(lambda: read_all(path), repeat)
    statistics = best(lambda: statistics_of(path), repeat)
    difference = best(lambda: weights.diff(*paths), repeat)
    rows = [
        ["list: h5py visititems", seconds(visit), ""],
        ["list: weights.open", seconds(listing), f"{listing / visit:.2f} of visititems"],
        *processes(path, repeat),
        ["read every array with h5py", seconds(reading), ""],
        ["NumPy min, max, mean, std in memory", seconds(numpy), ""],
        ["weights.statistics", seconds(statistics), f"{numpy / statistics:.2f} of NumPy's speed"],
        ["weights.diff", seconds(difference), f"{difference / statistics:.2f} of statistics"],
        *([f"peak memory, {name}", f"{value:.0f} MB", ""] for name, value in peaks.items()),
    ]
    body = f"Files of {count} tensors, {size:,.0f} MB each.\n\n"
    report.write(
        "weights", "Weight files", body + report.table(["what", "best", "in proportion"], rows)
    )


def seconds(value: float) -> str:
    return f"{value:.3f} s"


def best(work: Callable[[], object], repeat: int) -> float:
    """Return the shortest of several runs, after one that warms the page cache."""
    work()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def best_of_numpy(path: Path, repeat: int) -> float:
    """Time NumPy over the arrays in memory, which are gone when this returns."""
    with weights.open(path) as table:
        arrays = [tensor.read() for tensor in table.tensors]
    return best(lambda: [(x.min(), x.max(), x.mean(), x.std()) for x in arrays], repeat)


def visit_items(path: Path) -> None:
    found = []
    with h5py.File(path, "r", locking=False) as file:
        file.visititems(
            lambda name, item: found.append(
                (name, getattr(item, "shape", None), getattr(item, "dtype", None))
            )
        )


def list_file(path: Path) -> None:
    with weights.open(path) as table:
        table.to_json()


def read_all(path: Path) -> None:
    with h5py.File(path, "r", locking=False) as file, weights.open(path) as table:
        for tensor in table.tensors:
            file[tensor.path][()]


def statistics_of(path: Path) -> None:
    with weights.open(path) as table:
        weights.statistics(table)


def processes(path: Path, repeat: int) -> list[list[str]]:
    """Time listing as processes of their own, and what the import alone takes."""
    commands = {
        "process: import cnnblocks.weights": ["-c", "import cnnblocks.weights"],
        "process: cnnblocks weights show --json": ["-m", "cnnblocks", "weights", "show", "--json"],
    }
    if find_spec("h5glance"):
        commands["process: h5glance"] = ["-m", "h5glance"]
    rows = []
    for name, command in commands.items():
        line = [sys.executable, *command, *([] if "-c" in command else [str(path)])]
        took = best(
            lambda line=line: subprocess.run(line, check=True, stdout=subprocess.DEVNULL), repeat
        )
        rows.append([name, seconds(took), ""])
    return rows


def peak(work: str, paths: list[Path]) -> float:
    """Return the most memory, in MB, that a process of its own ever held."""
    line = [sys.executable, "-c", PEAK.format(work=work), *map(str, paths)]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return int(done.stdout) / MEGABYTE


if __name__ == "__main__":
    main()
