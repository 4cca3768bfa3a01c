"""The checkpoints that a run's trainer has written."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cnnblocks.runs.errors import RunError
from cnnblocks.runs.files import read_json

WEIGHTS = ".weights.h5"
STATE = ".state.json"


@dataclass(frozen=True)
class Checkpoint:
    """Weights that a run's trainer wrote, with what else training needs to go on from them.

    Attributes:
        name: `"last"`, `"best"` or `"epoch-0001"`.
        weights: The `.weights.h5` file.
        state: The `.state.json` file beside it, or `None`.
        epoch: Epochs completed when it was written; `None` when unknown.
        time: When it was written (Unix seconds).
        bytes: Size of the weights.
    """

    name: str
    weights: Path
    state: Path | None
    epoch: int | None
    time: float
    bytes: int


def list_checkpoints(directory: str | os.PathLike) -> list[Checkpoint]:
    """The checkpoints of a run directory: numbered epochs in their order, then `best` and `last`.

    Checkpoints being written are not among them.
    """
    try:
        names = [entry.name for entry in os.scandir(Path(directory) / "checkpoints")]
    except OSError:
        return []
    whole = [name for name in names if name.endswith(WEIGHTS) and not name.startswith(".")]
    found = (_checkpoint(Path(directory) / "checkpoints" / name) for name in whole)
    return sorted(
        filter(None, found), key=lambda entry: (entry.name in ("best", "last"), entry.name)
    )


def _checkpoint(weights: Path) -> Checkpoint | None:
    name = weights.name.removesuffix(WEIGHTS)
    state = weights.with_name(name + STATE)
    try:
        status = weights.stat()
    except OSError:
        return None
    return Checkpoint(
        name=name,
        weights=weights,
        state=state if state.is_file() else None,
        epoch=_epoch(name, state),
        time=status.st_mtime,
        bytes=status.st_size,
    )


def _epoch(name: str, state: Path) -> int | None:
    if numbered := re.fullmatch(r"epoch-(\d+)", name):
        return int(numbered[1])
    with suppress(RunError):
        return read_json(state).get("epoch")
    return None
