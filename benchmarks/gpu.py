"""On a GPU: speed of every network against plain PyTorch, time to accuracy, accuracy, comparison.

Needs no network and no TensorFlow: JAX and PyTorch as Keras' backends, PyTorch for the peers.

    python benchmarks/gpu.py --data cifar10.npz          # all that is not measured yet
    python benchmarks/gpu.py --data cifar10.npz --parts speedrun --seconds 540
    python benchmarks/gpu.py --smoke                     # the same path, tiny, on any machine

Every measurement is a process of its own and is written to `gpu.jsonl` and `gpu.md` in the folder
of results as soon as it is there. The same command goes on with what is missing, so `--seconds` can
cut the work into pieces; to measure anew, remove lines from `gpu.jsonl`. The parts:

- peaks: what large matrix products and copies reach on the card.
- speedrun: `cnnblocks train --recipe speedrun`, seconds of training and test accuracy.
- speed: images a second in training, for every network at its own size and at 224 pixels, in
  float32 and bfloat16; beside it the same network in PyTorch (channels_last, autocast to bfloat16,
  `torch.compile`).
- accuracy: every network with recipe `default`, a few epochs, several seeds.
- compare: `cnnblocks compare` over all networks, which uses the runs of the part before.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import report

HERE = Path(__file__).parent
PARTS = ("peaks", "speedrun", "speed", "accuracy", "compare")
SPEEDRUNS = {"resnet9": (0.94, 15), "resnet18": (0.95, 120)}
"""Accuracy to reach on the test images, and the seconds of training it may take."""
STEP_COST = 3  # a training step: forward, gradient by inputs, gradient by weights
TRIPS = 5
"""How often an activation moves: written and read forward; read again, its gradient written and
read backward."""
WEIGHT_TRIPS = 7
"""Likewise a weight a step: read twice, its gradient and the momentum written and read, written."""
ITEM = {"float32": 4, "bfloat16": 2}
SMALL = 64  # up to so many pixels a batch is large
LIMIT = 1800  # seconds after which a measurement is given up
GOES_ON = ("accuracy", "compare")
"""Parts whose measurements go on where they were cut off, so that they end in some later call."""


class OutOfTime(Exception):
    """The time given is over; the rest is for another call."""


class Records:
    """What was measured, a line of JSON each: `key` and `value`.

    Args:
        path: The file.
        retry: Whether what failed is to be measured again.
    """

    def __init__(self, path, retry=False):
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.found = {tuple(entry["key"]): entry["value"] for entry in map(json.loads, lines)}
        if retry:
            self.found = {key: v for key, v in self.found.items() if "error" not in v}

    def add(self, key, value):
        self.found[key] = value
        with self.path.open("a") as file:
            file.write(json.dumps({"key": key, "value": value}) + "\n")

    def of(self, part):
        """Keys, less the part, and values of the measurements of a part that succeeded."""
        return {
            key[1:]: value
            for key, value in self.found.items()
            if key[0] == part and "error" not in value
        }


class Bench:
    """Measures what is missing.

    Args:
        options: Those of the command line.
        folder: Where files go that are not needed afterwards.
    """

    def __init__(self, options, folder):
        self.options = options
        self.smoke = options.smoke
        self.began = time.monotonic()
        self.measured = 0
        self.records = Records(options.results / f"{options.name}.jsonl", options.retry)
        self.data = _random_images(folder) if self.smoke else options.data
        self.runs_dir = Path(folder) / "runs" if self.smoke else options.runs_dir

    def run(self):
        names = self.options.networks or self.networks()
        for part in self.options.parts:
            for key, measure in getattr(self, f"_{part}")(names):
                self._measure((part, *key), measure)

    def networks(self):
        """The names of all networks; that there are any shows that the installation works."""
        try:
            return self._ask("registered", [], "cpu")
        except subprocess.CalledProcessError as error:
            sys.exit(error.stderr)

    def _measure(self, key, measure):
        if key in self.records.found:
            return
        print(" ".join(map(str, key)), "...", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            value = measure()
        except subprocess.CalledProcessError as error:
            lines = (error.stderr or "").strip().splitlines() or [f"status {error.returncode}"]
            value = {"error": lines[-1][:200]}
        except subprocess.TimeoutExpired as error:
            cut_off = error.timeout < LIMIT and self.measured
            if cut_off or key[0] in GOES_ON:
                raise OutOfTime from None
            value = {"error": f"took more than {error.timeout:.0f} s"}
        self.measured += 1
        self.records.add(key, value)
        took = time.monotonic() - began
        print(f"    {took:.0f} s", value.get("error", ""), file=sys.stderr, flush=True)
        write(self.records, self.options)

    def _process(self, command, backend):
        """What a process prints, if it ends well and in time."""
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        environment["KERAS_BACKEND"] = self.options.backends[0] if backend == "cpu" else backend
        if backend == "cpu":
            environment |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
        left = self.options.seconds - (time.monotonic() - self.began)
        if left < 1:
            raise OutOfTime
        return subprocess.run(
            [sys.executable, *map(str, command)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=min(left, LIMIT),
        ).stdout

    def _ask(self, name, arguments, backend):
        command = [HERE / "gpu_measure.py", name, json.dumps(arguments)]
        return json.loads(self._process(command, backend).splitlines()[-1])

    def _peaks(self, names):
        if find_spec("torch"):
            yield (), lambda: self._ask("peaks", [self.smoke], "torch")

    def _speedrun(self, names):
        for network in ["resnet9"] if self.smoke else [name for name in SPEEDRUNS if name in names]:
            for backend in self.options.backends:
                for seed in self.options.seeds:
                    key = (network, backend, seed)
                    yield key, lambda key=key: self._train_fast(*key)

    def _train_fast(self, network, backend, seed):
        command = ["-m", "cnnblocks", "train", network, "--data", self.data, "--json"]
        command += ["--recipe", "speedrun", "--seed", seed, "--runs-dir", self.runs_dir]
        if self.smoke:
            command += ["--input", "device", "--epochs", 2, "--batch-size", 16]
            command += ["--network-arg", "width=0.125"]
        began = time.perf_counter()
        found = json.loads(self._process(command, backend))
        wall = time.perf_counter() - began
        path = Path(found["path"])
        with (path / "history.csv").open() as file:
            epochs = [float(row["seconds"]) for row in csv.DictReader(file)]
        config = json.loads((path / "config.json").read_text())
        return {
            "accuracy": found["test"]["metrics"]["accuracy"],
            "epochs": epochs,
            "wall": wall,
            **{name: config[name] for name in ("input", "precision", "tuning")},
        }

    def _speed(self, names):
        if missing := [name for name in names if name not in self._sizes()]:
            yield ("facts", *missing), lambda: {"rows": self._ask("facts", [missing], "cpu")}
        peers = ["peer"] if find_spec("torch") else []
        for name, sizes in self._sizes().items():
            if name not in names:
                continue
            chosen = sizes[:1] if self.smoke else sizes
            arguments = [name, chosen, [self._batch(shape) for shape in chosen], *self._pace]
            for who in [*self.options.backends, *peers]:
                yield (who, name), lambda who=who, these=arguments: {"rows": self._race(who, these)}

    def _sizes(self):
        """The sizes that each network is measured at, as far as they are known."""
        sizes = {}
        for row in _facts(self.records):
            sizes.setdefault(row["network"], []).append(row["shape"])
        return sizes

    def _race(self, who, arguments):
        return (
            self._ask("peer", arguments, "torch")
            if who == "peer"
            else self._ask("ours", arguments, who)
        )

    def _batch(self, shape):
        return 4 if self.smoke else self.options.batch if max(shape[:2]) <= SMALL else 128

    @property
    def _pace(self):
        """Steps of an epoch, and seconds to measure for."""
        return (3, 0.1) if self.smoke else (32, 2)

    def _accuracy(self, names):
        for seed in self.options.seeds:
            for name in names:
                key = (name, self.options.epochs, seed)
                yield key, lambda name=name, seed=seed: self._trained(name, seed)

    def _trained(self, network, seed):
        found = json.loads(self._compared([network], seed, "json"))["runs"][0]
        return {name: found[name] for name in ("accuracy", "seconds")}

    def _compare(self, names):
        seed = self.options.seeds[0]
        yield (
            (self.options.epochs, seed),
            lambda: {"table": self._compared(names, seed, "markdown")},
        )

    def _compared(self, names, seed, layout):
        command = ["-m", "cnnblocks", "compare", "--networks", *names, "--data", self.data]
        command += ["--epochs", self.options.epochs, "--seed", seed, "--format", layout]
        command += ["--runs-dir", self.runs_dir]
        if self.smoke:
            command += ["--batch-size", 16]
        return self._process(command, self.options.backends[0])


def write(records, options, show=False):
    """Write the tables of all that was measured so far."""
    sections = [
        table
        for table in (
            _peaks_text(records),
            _speedrun_table(records),
            _speed_table(records),
            _accuracy_table(records),
            _compare_table(records),
            _failures(records),
        )
        if table
    ]
    report.write(options.name, "On a GPU", "\n\n".join(sections), folder=options.results, show=show)


def _peaks_text(records):
    peak = records.found.get(("peaks",), {"error": ""})
    if "error" in peak:
        return ""
    return (
        f"Device: {peak['device']}. Peaks measured on it: float32 (tf32 allowed) "
        f"{peak['float32'] / 1e12:.3g} and bfloat16 {peak['bfloat16'] / 1e12:.3g} TFLOP/s in "
        f"products of large matrices, {peak['bandwidth'] / 1e12:.3g} TB/s in copies (bytes read "
        "and written)."
    )


def _speedrun_table(records):
    runs = {}
    for (network, backend, _), value in records.of("speedrun").items():
        runs.setdefault((network, backend), []).append(value)
    rows = []
    for (network, backend), values in runs.items():
        goal, seconds = SPEEDRUNS[network]
        steady = [_without_compiling(value["epochs"]) for value in values]
        rows.append(
            [
                *(network, backend, values[0]["precision"], values[0]["input"]),
                *(len(values[0]["epochs"]), len(values)),
                _mean_and_spread([value["accuracy"] for value in values]),
                statistics.median(steady),
                statistics.median(sum(value["epochs"]) for value in values),
                statistics.median(value["wall"] for value in values),
                f"{goal:.0%} in {seconds} s",
            ]
        )
    headers = ["network", "backend", "precision", "images on", "epochs", "seeds"]
    headers += ["test accuracy", "s of training", "s with compiling", "s of the command", "goal"]
    note = (
        "Recipe `speedrun` on CIFAR-10, medians over the seeds. Seconds of training leave out the "
        "first epoch's compiling (every epoch counts as the others do) and the writing of files; "
        "the command's are everything from start to end."
    )
    return rows and f"## Time to accuracy\n\n{note}\n\n{report.table(headers, rows)}"


def _without_compiling(epochs):
    later = epochs[1:] or epochs
    return sum(later) * len(epochs) / len(later)


def _mean_and_spread(values):
    return f"{statistics.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def _speed_table(records):
    found = records.of("speed")
    costs = {_case(row): row for row in _facts(records)}
    theirs = {
        (*_case(row), row["precision"]): row
        for key, value in found.items()
        if key[0] == "peer"
        for row in value["rows"]
    }
    rows = []
    for (who, *_), value in found.items():
        if who in ("facts", "peer"):
            continue
        for row in value["rows"]:
            peer = theirs.get((*_case(row), row["precision"]), {})
            rows.append(_speed_row(who, row, peer, costs.get(_case(row)), records))
    headers = ["network", "input", "precision", "batch", "backend", "images/s"]
    headers += ["share of matrix peak", "share of bandwidth", "PyTorch batch", "PyTorch images/s"]
    headers += ["ours / PyTorch"]
    note = (
        "Whole training steps with SGD and momentum, images shuffled on the device. The share of "
        "bandwidth takes every layer's output to be written once and read once on the way forward, "
        "and three times as often backward, at the width computed in; fused layers move less. "
        "ResNet-18, 34 and 50 have their stem for large images at 224 pixels."
    )
    return rows and f"## Speed of training\n\n{note}\n\n{report.table(headers, rows)}"


def _facts(records):
    """What `gpu_measure.facts` said of every network and size."""
    found = records.of("speed").items()
    return [row for key, value in found if key[0] == "facts" for row in value["rows"]]


def _case(row):
    return row["network"], tuple(row["shape"])


def _speed_row(backend, row, peer, cost, records):
    size = "x".join(map(str, row["shape"]))
    ours, plain = row.get("images_per_second"), peer.get("images_per_second")
    shares = _shares(row, cost, records.found.get(("peaks",), {})) if ours else ("-", "-")
    return [
        *(row["network"], size, row["precision"], row["batch"], backend),
        *(ours or row["error"], *shares),
        *(peer.get("batch", "-"), plain or peer.get("error", "-")),
        ours / plain if ours and plain else "-",
    ]


def _shares(row, cost, peak):
    if cost is None or "bandwidth" not in peak:
        return "-", "-"
    speed = row["images_per_second"]
    operations = 2 * STEP_COST * cost["multiply_adds"] * speed
    moved = TRIPS * cost["activations"] * ITEM[row["precision"]]
    moved += WEIGHT_TRIPS * cost["parameters"] * ITEM["float32"] / row["batch"]
    shares = operations / peak[row["precision"]], moved * speed / peak["bandwidth"]
    return tuple(f"{share:.1%}" for share in shares)


def _accuracy_table(records):
    networks = {}
    for (network, epochs, _), value in records.of("accuracy").items():
        networks.setdefault((network, epochs), []).append(value)
    rows = [
        [
            *(network, epochs, len(values)),
            _mean_and_spread([value["accuracy"] for value in values]),
            statistics.median(value["seconds"] for value in values),
        ]
        for (network, epochs), values in networks.items()
    ]
    headers = ["network", "epochs", "seeds", "test accuracy", "s of all epochs"]
    note = "Recipe `default` on CIFAR-10; the mean over the seeds, the lowest and the highest."
    return rows and f"## Accuracy\n\n{note}\n\n{report.table(headers, rows)}"


def _compare_table(records):
    tables = [value["table"] for value in records.of("compare").values()]
    return tables and f"## `cnnblocks compare`\n\n{tables[0].strip()}"


def _failures(records):
    failed = {key: v["error"] for key, v in records.found.items() if "error" in v}
    rows = [[" ".join(map(str, key)), error] for key, error in failed.items()]
    return rows and f"## What failed\n\n{report.table(['measurement', 'error'], rows)}"


def _random_images(folder):
    """A data set of CIFAR-10's shape; only the smoke test trains on it."""
    generator = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 80), ("test", 32)):
        arrays[f"x_{part}"] = generator.integers(0, 256, (count, 32, 32, 3), np.uint8)
        arrays[f"y_{part}"] = np.arange(count) % 10
    path = Path(folder) / "random.npz"
    np.savez(path, **arrays)
    return path


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="CIFAR-10: a .npz file, a folder, or cifar10 to download")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--networks", nargs="+", help="default: every registered network")
    parser.add_argument("--backends", nargs="+", choices=["jax", "torch"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=5, help="of recipe default")
    parser.add_argument("--batch", type=int, default=1024, help="at small sizes; 128 at 224 pixels")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--retry", action="store_true", help="measure again what failed")
    parser.add_argument("--results", type=Path, help="where the tables go (default: results/)")
    parser.add_argument("--runs-dir", type=Path, default=HERE / "runs", help="where the runs go")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, for any machine")
    options = parser.parse_args()
    options.backends = options.backends or [name for name in ("jax", "torch") if find_spec(name)]
    needs_data = {"speedrun", "accuracy", "compare"} & set(options.parts)
    if needs_data and not (options.data or options.smoke):
        parser.error("the parts speedrun, accuracy and compare need --data")
    options.name = "gpu"
    if options.smoke:
        options.name, options.epochs, options.seeds = "gpu-smoke", 1, [0]
        options.networks = options.networks or ["lenet5", "baseline"]
    return options


def main():
    options = read_options()
    with tempfile.TemporaryDirectory() as folder:
        options.results = options.results or (Path(folder) if options.smoke else report.RESULTS)
        options.results.mkdir(parents=True, exist_ok=True)
        bench = Bench(options, folder)
        try:
            bench.run()
        except OutOfTime:
            sys.exit("The time is over. The same command goes on with what is missing.")
        write(bench.records, options, show=True)


if __name__ == "__main__":
    main()
