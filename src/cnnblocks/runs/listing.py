"""Many runs at a glance, cheaply enough to look several times a second."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cnnblocks.runs import places
from cnnblocks.runs.directory import RunDirectory
from cnnblocks.runs.errors import RunError
from cnnblocks.runs.files import SCHEMA
from cnnblocks.runs.status import Status, derive_state

_WATCHED = ("config.json", "status.json", "history.csv", "note.txt")


@dataclass(frozen=True)
class RunSummary:
    """What a list shows of a run.

    Attributes:
        id: The run's name.
        path: Its directory.
        state: The state as it is, `interrupted` included; `unreadable` when `problem` says why.
        network: The network's name.
        data: The data's name.
        created: When the run was created (Unix seconds).
        epoch: Epochs completed.
        epochs: Epochs to train in all.
        progress: The share of the run that is done, 0 to 1.
        best: `{"epoch", "metric", "value"}` of the best epoch, or `None`.
        images_per_second: Training speed, lately.
        seconds_left: How long the rest will take; `None` when unknown or not running.
        accuracies: The accuracy of every epoch, validation's where there is one.
        reason: Why it is in this state, in a sentence.
        note: The user's note.
        writable: Whether this user may change the run.
        problem: Why the run cannot be read; empty when it can.
    """

    id: str
    path: Path
    state: str
    network: str = ""
    data: str = ""
    created: float = 0.0
    epoch: int = 0
    epochs: int = 0
    progress: float = 0.0
    best: dict[str, Any] | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    accuracies: list[float] = field(default_factory=list)
    reason: str = ""
    note: str = ""
    writable: bool = True
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """The summary as a JSON object."""
        return {"schema": SCHEMA, **asdict(self), "path": str(self.path)}


@dataclass(frozen=True)
class _Read:
    """What was read of a run's files, as long as they do not change."""

    signature: tuple
    status: Status | None
    config: dict[str, Any]
    accuracies: list[float]
    note: str
    problem: str


class RunLister:
    """Lists runs again and again, reading only files that changed.

    Event logs are never read, so their length does not matter.

    Args:
        runs_dir: The directory that holds the runs; see `runs_directory`.
        everywhere: Add the runs of the index.

    Example:

        >>> import tempfile
        >>> RunLister(tempfile.mkdtemp()).poll()
        []
    """

    def __init__(self, runs_dir: str | os.PathLike | None = None, everywhere: bool = False):
        self.runs_dir = places.runs_directory(runs_dir)
        self.everywhere = everywhere
        self._read: dict[Path, _Read] = {}

    def poll(self) -> list[RunSummary]:
        """The runs as they are now, oldest first. A run that cannot be read says why."""
        paths = places.all_runs(self.runs_dir) if self.everywhere else places.runs_in(self.runs_dir)
        self._read = {path: self._up_to_date(path) for path in paths}
        found = [_summary_or_problem(path, read) for path, read in self._read.items()]
        return sorted(found, key=lambda run: (run.created, run.id))

    def _up_to_date(self, path: Path) -> _Read:
        signature = tuple(_signature(path / name) for name in _WATCHED)
        known = self._read.get(path)
        return known if known and known.signature == signature else _read(path, signature)


def _signature(path: Path) -> tuple | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read(path: Path, signature: tuple) -> _Read:
    try:
        run = RunDirectory(path)
        accuracies = _accuracies(run.history)
        return _Read(signature, run.status, run.config, accuracies, run.note, "")
    except (RunError, OSError, ValueError, TypeError) as error:
        return _Read(signature, None, {}, [], "", str(error))


def _accuracies(history: list[dict[str, float]]) -> list[float]:
    names = {name: None for row in history for name in row if name.endswith("accuracy")}
    best = sorted(names, key=lambda name: not name.startswith("val_"))[:1]
    return [row[name] for row in history for name in best if name in row]


def _summary_or_problem(path: Path, read: _Read) -> RunSummary:
    problem = read.problem
    if read.status is not None:
        try:
            return _summary(path, read, read.status)
        except (TypeError, ValueError, AttributeError) as error:
            problem = f"{path / 'status.json'} or config.json is damaged: {error}"
    return RunSummary(path.name, path, "unreadable", problem=problem)


def _summary(path: Path, read: _Read, status: Status) -> RunSummary:
    config = read.config
    state = derive_state(status, path / "lock")
    alive = state == status.state
    data = config.get("data")
    return RunSummary(
        id=path.name,
        path=path,
        state=state,
        network=str(config.get("network", "")),
        data=str(data.get("name", "") if isinstance(data, dict) else data or ""),
        created=float(config.get("created") or 0),
        epoch=status.epoch,
        epochs=status.epochs,
        progress=status.progress,
        best=status.best,
        images_per_second=status.images_per_second,
        seconds_left=status.seconds_left if alive else None,
        accuracies=read.accuracies,
        reason=status.reason or ("" if alive else "the process that trained it is gone"),
        note=read.note,
        writable=os.access(path, os.W_OK),
    )
