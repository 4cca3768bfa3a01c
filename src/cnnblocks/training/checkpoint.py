"""Checkpoints from which training goes on exactly where it was.

Keras' `.weights.h5` holds the weights and the optimizer with its slots and step, and thereby the
place in the learning-rate schedule and the moving averages. It does not hold the states of the
random generators of Dropout and its like, nor the metrics of an epoch under way, nor what our own
callbacks know; these go into an attribute of the same file, so that one renaming commits all of a
checkpoint. The `.state.json` beside it is for readers.
"""

import errno
import json
import math
import os
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cnnblocks.runs.files import replacing, write_json
from cnnblocks.training.errors import CheckpointError

_OVERHEAD = 4096
"""Bytes that HDF5 may need for a variable beside its values."""

_ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "int32": 4, "uint32": 4, "bool": 1}

ATTRIBUTE = "cnnblocks_state"
"""The attribute of a `.weights.h5` that holds a checkpoint's `Progress`, as JSON."""


@dataclass
class Progress:
    """Where a training is, beside the model's and the optimizer's own variables.

    Attributes:
        epoch: Epochs completed.
        step: Steps done in the epoch after that; all of them when only validation is left.
        seconds: How long these steps took.
        best: `{"epoch", "metric", "value"}` of the best epoch so far.
        metrics: States of the metrics of the epoch under way.
        generators: States of the random generators within the model.
        time: When this was written (Unix seconds).
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    best: dict[str, Any] | None = None
    metrics: list[Any] = field(default_factory=list)
    generators: list[Any] = field(default_factory=list)
    time: float = 0.0


def save(path: Path, model: Any, progress: Progress) -> None:
    """Write a checkpoint; the file that was there before stays until this one is whole.

    Args:
        path: A `.weights.h5` file.
        model: A compiled model, between two steps.
        progress: Where training is; its `generators` and `time` are filled in.

    Raises:
        OSError: The disk is full, or the directory is read-only or gone.
    """
    progress.generators = values(_generators(model))
    _write(path, model, progress)


def save_weights(path: Path, model: Any, progress: Progress) -> None:
    """Write the weights alone, without the optimizer; see `save`."""
    _write(path, inference_model(model), progress)


def inference_model(model: Any) -> Any:
    """The same layers and weights as a model that knows no optimizer."""
    import keras

    return keras.Model(model.input, model.output, name=model.name)


def _write(path: Path, model: Any, progress: Progress) -> None:
    import h5py

    progress.time = round(time.time(), 3)
    state = {"schema": 1, **asdict(progress)}
    with replacing(path) as aside:
        require_space(aside, model)
        model.save_weights(aside)
        with h5py.File(aside, "r+") as file:
            file.attrs[ATTRIBUTE] = json.dumps(state)
    write_json(state_path(path), state)


def require_space(path: Path, model: Any, copies: int = 1) -> None:
    """Make sure that a file of all of a model's variables can be written, by taking the space once.

    HDF5 may end the whole process when a disk turns out to be full while it writes.

    Args:
        path: A file that is not there yet.
        model: The model.
        copies: How many times the values will be on the disk at once.

    Raises:
        OSError: The disk is full, or the directory is read-only or gone.
    """
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer else [])]
    needed = sum(_bytes(variable) + _OVERHEAD for variable in variables) * copies
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, needed)
        elif shutil.disk_usage(path.parent).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    path.unlink()


def _bytes(variable: Any) -> int:
    return math.prod(variable.shape) * _ITEM_BYTES.get(str(variable.dtype), 8)


def load(path: Path, model: Any) -> Progress:
    """Put a model and its optimizer where a checkpoint left them.

    Args:
        path: A `.weights.h5` file that `save` wrote.
        model: The same model, compiled the same way; its optimizer must be built.

    Raises:
        CheckpointError: The file is no checkpoint, or one of another network.
    """
    progress = read_progress(path)
    generators = _generators(model)
    if len(generators) != len(progress.generators):
        raise CheckpointError(
            f"{path} holds the states of {len(progress.generators)} random generators, but this "
            f"network has {len(generators)}: it was written by another network."
        )
    try:
        model.load_weights(path)
    except ValueError as error:
        raise CheckpointError(f"{path} does not fit this network: {error}") from error
    for generator, state in zip(generators, progress.generators, strict=True):
        generator.assign(state)
    return progress


def load_metrics(model: Any, progress: Progress) -> None:
    """Put the metrics of an epoch under way where a checkpoint left them."""
    if not progress.metrics:
        return
    for variable, value in zip(model.metrics_variables, progress.metrics, strict=True):
        variable.assign(value)


def read_progress(path: Path) -> Progress:
    """What a checkpoint says of where training was."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            state = json.loads(file.attrs[ATTRIBUTE])
    except (OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is not a checkpoint of a run: {error}") from error
    state.pop("schema")
    return Progress(**state)


def state_path(path: Path) -> Path:
    """The `.state.json` beside a `.weights.h5`."""
    return path.with_name(path.name.removesuffix(".weights.h5") + ".state.json")


def is_finite(model: Any) -> bool:
    """Whether all weights are finite, so that they are worth keeping."""
    import keras
    import numpy as np

    arrays = (keras.ops.convert_to_numpy(weight) for weight in model.trainable_variables)
    return all(np.isfinite(array.astype("float32", copy=False)).all() for array in arrays)


def _generators(model: Any) -> list[Any]:
    """The random generators' states: the only variables of a model that hold integers."""
    return [v for v in model.non_trainable_variables if "int" in str(v.dtype)]


def values(variables: list[Any]) -> list[Any]:
    """The values of small variables as JSON can hold them, exactly."""
    import keras

    return [keras.ops.convert_to_numpy(variable).tolist() for variable in variables]
