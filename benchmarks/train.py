"""Training speed: `cnnblocks train` against plain Keras' `fit`, side by side in one run.

Every peer is the same network written plainly (`plain_networks.py`), compiled and fitted with
defaults and the same batch size and optimizer, on each backend and on tf_keras. Ours is the
command line with what it chooses by itself. Each figure is the median, over repeated fresh
processes, of the images a second of the epochs after the first.

    python benchmarks/train.py                 # every network, every backend
    python benchmarks/train.py --short         # two networks on TensorFlow
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import report
from plain_networks import INPUT_SHAPE, PLAIN

BATCH = {"inception10": 1024}
IMAGES = {"baseline": 12_800, "lenet5": 12_800, "inception10": 4096, "alexnet8": 512}
MULTIPLY_ADDS = 3  # a training step: forward, gradient by inputs, gradient by weights
BACKENDS = ("tensorflow", "jax", "torch")


def images_and_labels(count):
    """Images of CIFAR-10's shape; speed does not depend on what they show."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, *INPUT_SHAPE), np.uint8)
    return images, generator.integers(0, 10, count).astype(np.int64)


def fit_plainly(network, engine, count, batch, epochs):
    """Be a peer: print the speed of each epoch, the time to the first step, the peak memory."""
    start = time.perf_counter()
    if engine == "tf_keras":
        import tf_keras as keras
    else:
        import keras
    images, labels = images_and_labels(count)
    images = images.astype("float32") / 255
    model = PLAIN[network](keras)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    marks = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if not marks:
                marks.append(time.perf_counter() - start)

        def on_epoch_begin(self, epoch, logs=None):
            self.begun = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            marks.append(count / (time.perf_counter() - self.begun))

    model.fit(images, labels, batch_size=batch, epochs=epochs, callbacks=[Clock()], verbose=0)
    return {"speeds": marks[1:], "first_step": marks[0], "peak": peak_memory()}


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_peer(network, engine, count, batch, epochs):
    command = [sys.executable, __file__, "--peer", network, engine, str(count), str(batch)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if engine != "tf_keras":
        environment["KERAS_BACKEND"] = engine
    result = subprocess.run(
        [*command, str(epochs)], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout.splitlines()[-1])


def run_ours(network, backend, data, batch, epochs, folder):
    runs = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-m", "cnnblocks", "train", network, "--data", str(data)]
    command += ["--recipe", "original", "--optimizer", "adam", "--batch-size", str(batch)]
    command += ["--epochs", str(epochs), "--backend", backend, "--runs-dir", str(runs), "--quiet"]
    start = time.time()
    subprocess.run(command, capture_output=True, text=True, check=True)
    run = next(path for path in runs.iterdir() if path.is_dir())
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    ends = [event for event in events if event["event"] == "epoch_end"]
    steps = [event["time"] for event in events if event["event"] == "progress"]
    config = json.loads((run / "config.json").read_text())
    return {
        "speeds": [event["images_per_second"] for event in ends],
        "first_step": steps[0] - start if steps else float("nan"),
        "tuning": config["tuning"],
    }


def speed(results):
    """Median over processes of the median over all epochs but the first."""
    return statistics.median(statistics.median(result["speeds"][1:]) for result in results)


def matrix_peak():
    """Floating-point operations a second of a large matrix product here."""
    a, b = np.random.rand(2, 3000, 3000).astype("float32")
    a @ b
    start = time.perf_counter()
    for _ in range(5):
        a @ b
    return 5 * 2 * 3000**3 / (time.perf_counter() - start)


def multiply_adds(networks):
    from cnnblocks import analysis
    from cnnblocks.networks import outline

    tables = {n: analysis.summarize(outline(n, input_shape=INPUT_SHAPE)) for n in networks}
    return {name: table.totals.multiply_adds for name, table in tables.items()}


def measure(options, folder):
    """Yield a row for each network and backend."""
    for network in options.networks:
        count = IMAGES.get(network, 256) // (4 if options.short else 1)
        batch = min(BATCH.get(network, 32), count)
        data = Path(folder) / f"{network}.npz"
        images, labels = images_and_labels(count)
        np.savez(data, x_train=images, y_train=labels, x_test=images[:64], y_test=labels[:64])
        peers = {}
        for engine in [*options.backends, "tf_keras"]:
            runs = [
                run_peer(network, engine, count, batch, options.epochs)
                for _ in range(options.repeats)
            ]
            peers[engine] = (speed(runs), runs[0])
        for backend in options.backends:
            runs = [
                run_ours(network, backend, data, batch, options.epochs, folder)
                for _ in range(options.repeats)
            ]
            yield network, batch, backend, speed(runs), runs[0], peers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(PLAIN), choices=list(PLAIN))
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS), choices=BACKENDS)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="two networks, TensorFlow only")
    parser.add_argument("--peer", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        network, engine, *numbers = options.peer
        print(json.dumps(fit_plainly(network, engine, *map(int, numbers))))
        return
    if options.short:
        options.networks, options.backends = ["lenet5", "baseline"], ["tensorflow"]
    peak = matrix_peak()
    costs = multiply_adds(options.networks)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for network, batch, backend, ours, run, peers in measure(options, folder):
            same, plain = peers[backend]
            best = max(value for value, _ in peers.values())
            share = 2 * MULTIPLY_ADDS * costs[network] * ours / peak
            row = [network, batch, backend, ours, same, peers["tf_keras"][0], best]
            row += [ours / same, ours / best, f"{share:.0%}", run["first_step"]]
            rows.append([*row, plain["first_step"], run["tuning"].get("choice", run["tuning"])])
            print(*rows[-1], file=sys.stderr)
    headers = ["network", "batch", "backend", "cnnblocks images/s", "plain fit, same backend"]
    headers += ["tf_keras", "best plain", "ours / same backend", "ours / best plain"]
    headers += ["share of matrix peak", "ours: s to first step", "plain: s to first step", "tuning"]
    ratios = [row[7] for row in rows if row[2] == "tensorflow"]
    body = report.table(headers, rows)
    body += f"\n\nA float32 matrix product reaches {peak / 1e9:,.0f} GFLOP/s here."
    if ratios:
        body += f" Geometric mean on TensorFlow: {statistics.geometric_mean(ratios):.2f}."
    report.write("train-short" if options.short else "train", "Training speed", body)


if __name__ == "__main__":
    main()
