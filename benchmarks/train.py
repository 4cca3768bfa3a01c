"""Training speed: `cnnblocks train` against plain Keras' `fit`, side by side in one run.

Every peer is the same network written plainly (`plain_networks.py`), compiled and fitted with
defaults and the same batch size and optimizer, on each backend and on tf_keras. Ours is the
command line with what it chooses by itself. Each figure is the images a second of the fastest epoch
but the first, over all repetitions in fresh processes: what else a machine does only takes away.

With --whole, the two smallest networks go through epochs as long as CIFAR-10's, and what passes
from the end of the first epoch to the end of the last counts: what `fit` does between epochs, and
for ours validation, checkpoints and history, too.

    python benchmarks/train.py                 # every network, every backend
    python benchmarks/train.py --backends torch
    python benchmarks/train.py --short         # two networks on TensorFlow
    python benchmarks/train.py --whole         # the same two, whole epochs
"""

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import report
from plain_networks import INPUT_SHAPE, PLAIN

BATCH = {"inception10": 128}
IMAGES = {"baseline": 12_800, "lenet5": 12_800, "inception10": 1024, "alexnet8": 512}
WHOLE = 50_000
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
    marks, ends = [], []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if not marks:
                marks.append(time.perf_counter() - start)

        def on_epoch_begin(self, epoch, logs=None):
            self.begun = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            ends.append(time.perf_counter())
            marks.append(count / (ends[-1] - self.begun))

    model.fit(images, labels, batch_size=batch, epochs=epochs, callbacks=[Clock()], verbose=0)
    return {
        "speeds": marks[1:],
        "whole": whole_speed(ends, count),
        "first_step": marks[0],
        "peak": peak_memory(),
    }


def whole_speed(ends, count):
    """Images a second from the end of the first epoch to the end of the last."""
    return count * (len(ends) - 1) / (ends[-1] - ends[0])


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


def run_ours(network, backend, data, count, batch, epochs, folder):
    """Start a training of ten epochs of 50,000 images, and stop it after `epochs` short ones.

    What tuning tries depends on how long the training is going to be.
    """
    runs = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-m", "cnnblocks", "train", network, "--data", str(data)]
    command += ["--recipe", "original", "--optimizer", "adam", "--batch-size", str(batch)]
    command += ["--epochs", str(500_000 // count), "--backend", backend]
    command += ["--runs-dir", str(runs), "--quiet"]
    if network == "inception10":
        # As the peers have it; by its original recipe the statistics stay as they start.
        command += ["--set", "network_args.freeze_statistics=false"]
    environment = {**os.environ, "CNNBLOCKS_CACHE_DIR": str(runs / "cache")}
    start = time.time()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while sum(event["event"] == "epoch_end" for event in read_events(runs)) < epochs:
        if process.poll() is not None:
            raise SystemExit(f"The training ended too early: {' '.join(command)}")
        time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, _, usage = os.wait4(process.pid, 0)
    events = read_events(runs)
    steps = [event["time"] for event in events if event["event"] == "progress"]
    epochs_done = [event for event in events if event["event"] == "epoch_end"][:epochs]
    tuning = next(event["tuning"] for event in events if event["event"] == "run_start")
    return {
        "speeds": [event["images_per_second"] for event in epochs_done],
        "whole": whole_speed([event["time"] for event in epochs_done], count),
        "first_step": steps[0] - start,
        "peak": usage.ru_maxrss / 1024,
        "tuning": tuning,
    }


def read_events(runs):
    """The events of the only run in a directory, as far as they are written."""
    found = list(runs.glob("*/events.jsonl"))
    lines = found[0].read_text().split("\n")[:-1] if found else []
    return [json.loads(line) for line in lines]


def chosen(tuning):
    """What tuning chose, in a few words."""
    words = ["compiled" if tuning["jit_compile"] else "not compiled"]
    words.append(f"{tuning['steps_per_execution']} steps a call")
    if tuning["threads"]:
        words.append(f"{tuning['threads']} threads")
    if tuning["readers"]:
        words.append(f"{tuning['readers']} readers")
    if tuning["shards"] > 1:
        words.append(f"batches in {tuning['shards']} parts")
    return ", ".join(words)


def speed(results):
    """Of the fastest epoch, the first ones left out."""
    return max(max(result["speeds"][1:]) for result in results)


def mean_speed(results):
    """Of all epochs but the first ones, and what is between them."""
    return statistics.harmonic_mean([result["whole"] for result in results])


def say(network, engine, whose, results):
    text = f"{network} {engine} {whose}: {speed(results):,.0f} images/s in the fastest epoch, "
    text += f"{mean_speed(results):,.0f} in all"
    print(text, file=sys.stderr, flush=True)


def matrix_peak():
    """Floating-point operations a second of a large matrix product here, the best of a few.

    By NumPy and by Keras' backend: either may be built, or told, not to use all of a processor.
    """
    import keras

    size = 3000
    a, b = np.random.rand(2, size, size).astype("float32")
    tensors = [keras.ops.convert_to_tensor(matrix) for matrix in (a, b)]
    products = (lambda: a @ b, lambda: keras.ops.convert_to_numpy(keras.ops.matmul(*tensors)))
    seconds = []
    for product in products:
        for _ in range(4):
            start = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def multiply_adds(networks):
    from cnnblocks import analysis
    from cnnblocks.networks import outline

    tables = {n: analysis.summarize(outline(n, input_shape=INPUT_SHAPE)) for n in networks}
    return {name: table.totals.multiply_adds for name, table in tables.items()}


def measure(options, folder):
    """Yield a row for each network and backend."""
    counted = mean_speed if options.whole else speed
    for network in options.networks:
        count = WHOLE if options.whole else IMAGES.get(network, 256)
        batch = min(BATCH.get(network, 32), count)
        data = Path(folder) / f"{network}.npz"
        images, labels = images_and_labels(count)
        np.savez(data, x_train=images, y_train=labels, x_test=images[:64], y_test=labels[:64])
        plain, ours = defaultdict(list), defaultdict(list)
        # In turns, so that whatever else the machine does meets all of them.
        for _ in range(options.repeats):
            for engine in [*options.backends, "tf_keras"]:
                plain[engine].append(run_peer(network, engine, count, batch, options.epochs))
                say(network, engine, "plain", plain[engine])
                if engine in options.backends:
                    ours[engine].append(
                        run_ours(network, engine, data, count, batch, options.epochs, folder)
                    )
                    say(network, engine, "cnnblocks", ours[engine])
        peers = {engine: (counted(runs), runs[0]) for engine, runs in plain.items()}
        for backend, runs in ours.items():
            yield network, batch, backend, counted(runs), runs[0], peers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(PLAIN), choices=list(PLAIN))
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS), choices=BACKENDS)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="two networks, TensorFlow only")
    parser.add_argument("--whole", action="store_true", help="those two, epochs of 50,000 images")
    parser.add_argument("--peer", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        network, engine, *numbers = options.peer
        print(json.dumps(fit_plainly(network, engine, *map(int, numbers))))
        return
    if options.short or options.whole:
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
            row += [plain["first_step"], run["peak"], plain["peak"], chosen(run["tuning"])]
            rows.append(row)
            # After each row, so that a run that is stopped keeps what it measured.
            name = "train" + "-short" * options.short + "-whole" * options.whole
            if "tensorflow" not in options.backends:
                name = "-".join(["train", *options.backends])
            report.write(name, "Training speed", body(rows, peak), show=False)
    print(body(rows, peak))


def body(rows, peak):
    """The result in Markdown."""
    headers = ["network", "batch", "backend", "cnnblocks images/s", "plain fit, same backend"]
    headers += ["tf_keras", "best plain", "ours / same backend", "ours / best plain"]
    headers += ["share of matrix peak", "ours: s to first step", "plain: s to first step"]
    headers += ["ours: MiB at most", "plain: MiB at most", "chosen by tuning"]
    text = report.table(headers, rows)
    text += f"\n\nA float32 matrix product reaches {peak / 1e9:,.0f} GFLOP/s here."
    ratios = [row[7] for row in rows if row[2] == "tensorflow"]
    if ratios:
        text += f" Geometric mean on TensorFlow: {statistics.geometric_mean(ratios):.2f}."
    return text


if __name__ == "__main__":
    main()
