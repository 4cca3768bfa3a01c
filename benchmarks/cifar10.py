"""Recipe `default` against recipe `original` on CIFAR-10, as a folder of images.

    python benchmarks/cifar10.py FOLDER            # FOLDER/{train,test}/<class>/*.jpg

LeNet-5 learns from all training images, Inception-10 from 10,000 of them, each for 5 epochs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import report

TRAININGS = (
    ("lenet5", "default", None),
    ("lenet5", "original", None),
    ("inception10", "default", 10_000),
    ("inception10", "original", 10_000),
)


def train(network, recipe, images, options, runs_dir):
    """Train in a process of its own; the result and the seconds it took in all."""
    command = [sys.executable, "-m", "cnnblocks", "train", network, "--data", options.folder]
    command += ["--recipe", recipe, "--epochs", str(options.epochs), "--seed", str(options.seed)]
    command += ["--runs-dir", str(runs_dir), "--json"]
    command += ["--train-images", str(images)] if images else []
    start = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(result.stdout), time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="folder with train/<class>/ and test/<class>/")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as runs_dir:
        for network, recipe, images in TRAININGS:
            result, seconds = train(network, recipe, images, options, runs_dir)
            metrics = result["test"]["metrics"]
            row = [network, recipe, images or "all", options.epochs, f"{metrics['accuracy']:.4f}"]
            rows.append([*row, f"{metrics['loss']:.4f}", seconds])
            print(*rows[-1], file=sys.stderr, flush=True)
    headers = ["network", "recipe", "training images", "epochs", "test accuracy", "test loss"]
    body = report.table([*headers, "seconds in all"], rows)
    body += "\n\nThe accuracy is that of all 10,000 test images, read once, after training."
    report.write("cifar10", "CIFAR-10", body, arguments=[Path(options.folder).name])


if __name__ == "__main__":
    main()
