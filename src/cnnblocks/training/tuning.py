"""What makes steps fast without changing what they compute, beyond rounding.

How many steps one call runs, and how many threads make batches, changes nothing. Compiling steps
with XLA and computing with fewer threads change the order of sums, so the choice belongs to the
configuration of a run: resuming it uses the same.

What can be varied within a process differs: TensorFlow may or may not compile with XLA, PyTorch
takes another number of threads at any time; TensorFlow and JAX settle theirs when they start, and
JAX always compiles.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnblocks.runs import user_directories
from cnnblocks.runs.errors import RunError
from cnnblocks.runs.files import read_json, write_json
from cnnblocks.training.config import TrainingConfig

if TYPE_CHECKING:
    from cnnblocks.training.input import BatchStream

_SHORT = 120.0
"""A training of fewer seconds is not worth measuring: building a network once more to measure it
takes up to a tenth of that."""

_COMPILING = 3
"""How many times longer the first step takes with XLA than without: 3.7 times the processor's time
for LeNet-5 and AlexNet-8, 1.9 and 1.7 times for Inception-10 and ResNet-18."""

_WORTH = 8
"""How many times longer than compiling a training must be to try XLA. It saved 30 and 50 % of the
time of two networks out of three, and where it is chosen it is compiled twice: on average that pays
from six times on."""

_CLEARLY = 0.97
"""What share of the time another choice may take to be preferred: less is within the noise."""

_NOTICED = 0.05
"""The share of a step from which making a batch is worth doing ahead."""

_MUCH_LONGER = 4
"""How many times as many steps make a new measurement worth its time, since more can be tried."""

_AT_LEAST = 0.5
_EXECUTION = 0.3
_MOST_STEPS = 64


@dataclass(frozen=True)
class Tuning:
    """How steps are run.

    Attributes:
        jit_compile: Whether a step is compiled (XLA, or `torch.compile`).
        steps_per_execution: How many steps one call runs.
        why: Where the choice comes from, in a sentence.
        threads: With how many threads PyTorch computes on a CPU; `None` for as many as it likes.
        readers: How many threads make batches of images in memory ahead; 0 for none.
        shards: Into how many parts TensorFlow splits each batch, to compute them side by side.
    """

    jit_compile: bool
    steps_per_execution: int
    why: str
    threads: int | None = None
    readers: int = 0
    shards: int = 1

    def to_dict(self) -> dict[str, Any]:
        """The choice as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Tuning":
        """The choice that `to_dict` described."""
        return cls(**values)


@contextmanager
def computing_with(threads: int | None) -> Iterator[None]:
    """Let PyTorch compute with so many threads for the duration of a block; `None` leaves it."""
    if threads is None:
        yield
        return
    import torch

    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def choose(
    config: TrainingConfig,
    devices: list[str],
    stream: "BatchStream",
    build: Callable[[Tuning], Any],
    shards: int = 1,
) -> Tuning:
    """Decide how the steps of a training are run.

    Measures a few real steps on a network that is thrown away afterwards, unless it was measured
    before, the training is too short to pay for that, or it was asked not to.

    Args:
        config: The training.
        devices: As `cnnblocks.training.devices.use` named them.
        stream: Its batches.
        build: Makes a fresh, compiled network for a tuning.
        shards: Into how many parts batches are to be split.
    """
    usual = replace(_usual(config.backend, devices, stream.steps), shards=shards)
    if config.deterministic or config.tune == "off":
        return replace(usual, why="usual for this backend and device: tuning was off")
    if config.input == "device" and config.backend != "tensorflow":
        return replace(usual, why="usual for images on the device: there is nothing to choose")
    steps = stream.steps * config.recipe.epochs
    if (known := _remembered(config, devices, steps)) and known.shards == shards:
        return known
    if _forward_seconds(build(usual), stream) * 3 * steps < _SHORT:
        return replace(usual, why="usual for this backend and device: too short to measure")
    found = _measure(usual, config.backend, devices, stream, steps, build)
    _remember(config, devices, steps, found)
    return found


def fits(config: TrainingConfig, other: TrainingConfig) -> bool:
    """Whether what was measured for one training holds for another."""
    return _decisive(config, []) == _decisive(other, [])


def _usual(backend: str, devices: list[str], steps: int) -> Tuning:
    on_gpu = devices[0].startswith("gpu")
    jit_compile = backend == "jax" or (backend == "tensorflow" and on_gpu)
    several = 1 if backend == "torch" else max(1, min(16, steps // 4))
    return Tuning(jit_compile, several, "")


def _measure(
    usual: Tuning,
    backend: str,
    devices: list[str],
    stream: "BatchStream",
    steps: int,
    build: Callable[[Tuning], Any],
) -> Tuning:
    search = _Search(usual, stream, steps, build)
    if backend == "tensorflow":
        search.try_xla()
    if backend == "torch" and devices[0].startswith("cpu"):
        search.try_threads()
    search.try_readers()
    if backend != "torch":
        search.settle_steps_per_execution()
    return replace(search.found, why="; ".join(search.why))


class _Search:
    """From the usual choice to the best one measured, a question at a time.

    Args:
        usual: What is chosen without measuring.
        stream: The batches.
        steps: Steps of the whole training, which what a choice costs is held against.
        build: Makes a fresh, compiled network for a tuning.

    Attributes:
        found: The best choice so far.
        seconds: How long a step takes with it.
        why: What was measured.
    """

    def __init__(
        self, usual: Tuning, stream: "BatchStream", steps: int, build: Callable[[Tuning], Any]
    ):
        self.stream, self.steps, self.build = stream, steps, build
        self.found = replace(usual, steps_per_execution=1)
        self.model = build(self.found)
        self.seconds, self.starting = _step_seconds(self.model, stream)
        self.why = [f"{_ms(self.seconds)} a step"]

    def try_xla(self) -> None:
        """Compile the other way, if the training is long enough for that to pay."""
        compiling = self.starting * (1 if self.found.jit_compile else _COMPILING)
        if self.seconds * self.steps < _WORTH * compiling:
            self.why.append("too short to compile another way")
            return
        other = replace(self.found, jit_compile=not self.found.jit_compile)
        try:
            model = self.build(other)
            seconds, starting = _step_seconds(model, self.stream)
        except Exception as error:
            # XLA cannot compile every network; what it says is of no use to anybody here.
            self.why.append(f"XLA failed ({type(error).__name__})")
            return
        names = {True: "with XLA", False: "without XLA"}
        self.why = [
            f"{_ms(self.seconds)} a step {names[self.found.jit_compile]}, "
            f"{_ms(seconds)} {names[other.jit_compile]}"
        ]
        if seconds * self.steps + starting < self.seconds * self.steps:
            self.found, self.model, self.seconds = other, model, seconds

    def try_threads(self) -> None:
        """Compute with half the threads, and half again, as long as that is faster."""
        import torch

        usual = torch.get_num_threads()
        threads = usual // 2
        while threads:
            with computing_with(threads):
                seconds, _ = _step_seconds(self.model, self.stream)
            self.why.append(f"{_ms(seconds)} with {_count(threads, 'thread')} of {usual}")
            if seconds > _CLEARLY * self.seconds:
                return
            self.found, self.seconds = replace(self.found, threads=threads), seconds
            threads //= 2

    def try_readers(self) -> None:
        """Make batches in threads of their own, if making them takes long enough to be noticed."""
        if not self.stream.batches.in_memory:
            return
        reading = _reading_seconds(self.stream)
        if reading < _NOTICED * self.seconds:
            return
        readers = min(os.cpu_count() or 1, ceil(1.5 * reading / self.seconds))
        inline, ahead = (self._fit_seconds(count) for count in (0, readers))
        self.why.append(
            f"{_ms(inline)} with batches, {_ms(ahead)} with {_count(readers, 'thread')} making them"
        )
        if ahead < _CLEARLY * inline:
            self.found = replace(self.found, readers=readers)

    def settle_steps_per_execution(self) -> None:
        """As many steps a call as take a fraction of a second: signals are answered after it."""
        several = max(1, min(_MOST_STEPS, self.stream.steps // 4, round(_EXECUTION / self.seconds)))
        self.found = replace(self.found, steps_per_execution=several)

    def _fit_seconds(self, readers: int) -> float:
        """Seconds of a step of `fit`, which reads the batches."""
        steps = max(3, min(self.stream.steps, round(_AT_LEAST / self.seconds)))
        self.stream.batches.readers = readers
        try:
            with computing_with(self.found.threads):
                self._fit(1)
                began = time.perf_counter()
                self._fit(steps)
                return (time.perf_counter() - began) / steps
        finally:
            self.stream.batches.readers = 0
            self.stream.at(self.stream.epoch, self.stream.start)

    def _fit(self, steps: int) -> None:
        from cnnblocks.training.input import feed

        self.stream.at(self.stream.epoch, self.stream.start)
        self.model.fit(feed(self.stream), steps_per_epoch=steps, shuffle=False, verbose=0)


def _forward_seconds(model: Any, stream: "BatchStream") -> float:
    """How long a batch takes forward, as a first guess at what a step costs."""
    images = stream.first_images()
    model(images, training=False)
    began = time.perf_counter()
    model(images, training=False)
    return time.perf_counter() - began


def _step_seconds(model: Any, stream: "BatchStream") -> tuple[float, float]:
    """Seconds of a step, the best of a few, and of the first one, which compiles."""
    images, labels = stream[0]
    began = time.perf_counter()
    model.train_on_batch(images, labels)
    starting = time.perf_counter() - began
    best, spent, taken = float("inf"), 0.0, 0
    while taken < 3 or (spent < _AT_LEAST and taken < 50):
        began = time.perf_counter()
        model.train_on_batch(images, labels)
        seconds = time.perf_counter() - began
        best, spent, taken = min(best, seconds), spent + seconds, taken + 1
    return best, starting


def _reading_seconds(stream: "BatchStream") -> float:
    """Seconds that a batch takes to make, the best of a few."""
    best = float("inf")
    for index in range(min(5, stream.steps)):
        began = time.perf_counter()
        stream[index]
        best = min(best, time.perf_counter() - began)
    return best


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _decisive(config: TrainingConfig, devices: list[str]) -> dict[str, Any]:
    """All that a measurement depends on."""
    recipe = config.recipe
    return {
        "network": config.network,
        "network_args": recipe.network_args,
        "input_shape": list(config.input_shape),
        "classes": config.num_classes,
        "batch_size": recipe.batch_size,
        "augmentation": recipe.augmentation,
        "optimizer": recipe.optimizer,
        "ema": recipe.ema is not None,
        "freeze": config.freeze,
        "precision": config.precision,
        "input": config.input,
        "backend": config.backend,
        "device": config.device,
        "devices": devices,
        "cores": os.cpu_count(),
        "versions": config.versions,
    }


def _path(config: TrainingConfig, devices: list[str]) -> Path:
    text = json.dumps(_decisive(config, devices), sort_keys=True, default=str)
    digest = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
    return user_directories()["cache"] / "tune" / f"{digest}.json"


def _remembered(config: TrainingConfig, devices: list[str], steps: int) -> Tuning | None:
    with suppress(RunError, KeyError, TypeError):
        known = read_json(_path(config, devices))
        if steps <= _MUCH_LONGER * known["steps"]:
            found = Tuning.from_dict(known["tuning"])
            return replace(found, why=f"{found.why}; measured before")
    return None


def _remember(config: TrainingConfig, devices: list[str], steps: int, found: Tuning) -> None:
    path = _path(config, devices)
    # A cache that cannot be written costs another measurement next time, nothing else.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"steps": steps, "tuning": found.to_dict()})
