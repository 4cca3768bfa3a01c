"""Finding a run that did already what is about to be done."""

from collections.abc import Iterable
from typing import Any

from cnnblocks.runs import RunDirectory, RunError
from cnnblocks.runs.files import plain
from cnnblocks.training.config import TrainingConfig
from cnnblocks.training.errors import TrainingError

_DECISIVE = (
    "network",
    "recipe",
    "seed",
    "input_shape",
    "preprocessing",
    "precision",
    "device",
    "backend",
    "deterministic",
    "weights",
    "freeze",
    "keep",
)


def find_run(config: TrainingConfig, runs: Iterable[RunDirectory]) -> RunDirectory | None:
    """The run that trains exactly what a configuration asks for.

    Two trainings are the same when network, recipe, images, seed, preprocessing, precision, device
    and backend are; what is written beside the run, and how fast it went, does not matter.

    Args:
        config: What is asked for.
        runs: Where to look.

    Returns:
        A finished run if there is one, else one that can go on, the newest of its kind; `None`
        when there is neither. Failed runs are passed over.
    """
    found = [run for run in runs if _same(config, run)]
    for states in (("finished",), ("running", "stopping", "queued"), ("stopped", "interrupted")):
        fitting = [run for run in found if run.state in states]
        if fitting:
            return fitting[-1]
    return None


def _same(config: TrainingConfig, run: RunDirectory) -> bool:
    try:
        other = TrainingConfig.from_dict(run.config)
        return _essence(config) == _essence(other) and bool(run.state)
    except (RunError, TrainingError):
        return False


def _essence(config: TrainingConfig) -> dict[str, Any]:
    values = plain(config.to_dict())
    essence = {name: values[name] for name in _DECISIVE}
    return essence | {name: values["data"][name] for name in ("limit", "fingerprint")}
