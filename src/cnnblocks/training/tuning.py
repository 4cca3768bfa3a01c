"""What makes steps fast without changing what they compute, beyond rounding.

How many steps one call runs changes nothing. Compiling them with XLA changes the order of sums, so
the choice belongs to the configuration of a run: resuming it uses the same.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnblocks.runs import user_directories
from cnnblocks.runs.errors import RunError
from cnnblocks.runs.files import read_json, write_json
from cnnblocks.training.config import TrainingConfig

if TYPE_CHECKING:
    from cnnblocks.training.input import BatchStream

_SHORT = 60.0
"""A training of fewer seconds is not worth measuring."""

_COMPILING = 0.4
"""Seconds that XLA takes for a layer with weights, on one quiet core."""

_WORTH = 20
"""How many times longer than compiling a training must be to try XLA: it is compiled twice then,
and often saves a fifth."""

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
    """

    jit_compile: bool
    steps_per_execution: int
    why: str

    def to_dict(self) -> dict[str, Any]:
        """The choice as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Tuning":
        """The choice that `to_dict` described."""
        return cls(values["jit_compile"], values["steps_per_execution"], values["why"])


def choose(
    config: TrainingConfig,
    devices: list[str],
    stream: "BatchStream",
    build: Callable[[Tuning], Any],
) -> Tuning:
    """Decide how the steps of a training are run.

    Measures a few real steps on a network that is thrown away afterwards, unless it was measured
    before, the training is too short to pay for that, or it was asked not to.

    Args:
        config: The training.
        devices: As `cnnblocks.training.devices.use` named them.
        stream: Its batches.
        build: Makes a fresh, compiled network for a tuning.
    """
    usual = _usual(config.backend, devices, stream.steps)
    if config.deterministic or config.tune == "off":
        return replace(usual, why="usual for this backend and device: tuning was off")
    if known := _remembered(config, devices):
        return known
    steps = stream.steps * config.recipe.epochs
    if _forward_seconds(build(usual), stream) * 3 * steps < _SHORT:
        return replace(usual, why="usual for this backend and device: too short to measure")
    found = _measure(usual, config.backend, stream, steps, build)
    _remember(config, devices, found)
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
    stream: "BatchStream",
    steps: int,
    build: Callable[[Tuning], Any],
) -> Tuning:
    model = build(replace(usual, steps_per_execution=1))
    seconds, _ = _step_seconds(model, stream)
    found = replace(usual, why=f"{_ms(seconds)} a step")
    if backend == "tensorflow" and seconds * steps > _WORTH * _compiling_seconds(model):
        other = replace(usual, jit_compile=not usual.jit_compile, steps_per_execution=1)
        try:
            others, starting = _step_seconds(build(other), stream)
        except Exception as error:
            # XLA cannot compile every network; what it says is of no use to anybody here.
            found = replace(found, why=f"{found.why}; XLA failed ({type(error).__name__})")
        else:
            found, seconds = _faster(found, seconds, other, others, starting, steps)
    if backend == "torch":
        return found
    several = max(1, min(_MOST_STEPS, stream.steps // 4, round(_EXECUTION / seconds)))
    return replace(found, steps_per_execution=several)


def _faster(
    found: Tuning, seconds: float, other: Tuning, others: float, starting: float, steps: int
) -> tuple[Tuning, float]:
    names = {True: "with XLA", False: "without XLA"}
    why = (
        f"{_ms(seconds)} a step {names[found.jit_compile]}, {_ms(others)} "
        f"{names[other.jit_compile]}"
    )
    if others * steps + starting < seconds * steps:
        return replace(other, why=why), others
    return replace(found, why=why), seconds


def _compiling_seconds(model: Any) -> float:
    return _COMPILING * sum(variable.name == "kernel" for variable in model.trainable_variables)


def _forward_seconds(model: Any, stream: "BatchStream") -> float:
    """How long a batch takes forward, as a first guess at what a step costs."""
    images, _ = stream[0]
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


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"


def _decisive(config: TrainingConfig, devices: list[str]) -> dict[str, Any]:
    """All that a measurement depends on."""
    recipe = config.recipe
    return {
        "network": config.network,
        "network_args": recipe.network_args,
        "input_shape": list(config.input_shape),
        "classes": config.num_classes,
        "batch_size": recipe.batch_size,
        "optimizer": recipe.optimizer,
        "ema": recipe.ema is not None,
        "freeze": config.freeze,
        "precision": config.precision,
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


def _remembered(config: TrainingConfig, devices: list[str]) -> Tuning | None:
    with suppress(RunError, KeyError):
        found = Tuning.from_dict(read_json(_path(config, devices)))
        return replace(found, why=f"{found.why}; measured before")
    return None


def _remember(config: TrainingConfig, devices: list[str], found: Tuning) -> None:
    path = _path(config, devices)
    # A cache that cannot be written costs another measurement next time, nothing else.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, found.to_dict())
