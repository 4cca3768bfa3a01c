"""Where a run is: what its process wrote, and what a reader makes of it."""

import os
import socket
import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cnnblocks.runs.files import as_json, read_json, write_text
from cnnblocks.runs.lock import is_locked

STATES = ("queued", "running", "stopping", "stopped", "finished", "failed")
"""The states that are written; readers add `interrupted`."""

ACTIVE = ("queued", "running", "stopping")
"""The states in which a process is, or ought to be, at work."""

STALE_AFTER = 60.0
"""Seconds without a heartbeat after which another machine's process counts as dead."""


@dataclass(frozen=True)
class Status:
    """The content of `status.json`.

    Attributes:
        state: One of `STATES`, as the process wrote it.
        pid: The process that trains or trained; `None` before the first.
        host: The machine it runs on.
        heartbeat: When the process last gave a sign (Unix seconds).
        epoch: Epochs completed, 0 before the first is.
        epochs: Epochs to train in all.
        step: Steps done in the epoch now under way.
        steps: Steps of an epoch; 0 while unknown.
        best: `{"epoch", "metric", "value"}` of the best epoch so far.
        reason: Why the run is in this state, in a sentence; empty when there is nothing to say.
        images_per_second: Training speed, lately.
        epoch_seconds: Duration of the last completed epoch, validation included.
        epoch_started: When the epoch now under way began (Unix seconds).
        learning_rate: The rate in use.
        metrics: The latest values by Keras' names.
        weights: Which epoch's weights `model.keras` holds: `"best"` or `"last"`.
        started: When the process began (Unix seconds).
        ended: When it ended; `None` while it has not.
    """

    state: str = "queued"
    pid: int | None = None
    host: str = ""
    heartbeat: float = 0.0
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    best: dict[str, Any] | None = None
    reason: str = ""
    images_per_second: float | None = None
    epoch_seconds: float | None = None
    epoch_started: float | None = None
    learning_rate: float | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    weights: str = "best"
    started: float | None = None
    ended: float | None = None

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Status":
        """Read a `status.json`; raises `RunError` when it is missing, damaged or too new."""
        content = read_json(path)
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in content.items() if name in known})

    def write(self, path: str | os.PathLike) -> None:
        """Replace a `status.json` as a whole."""
        write_text(path, self.as_text())

    def as_text(self) -> str:
        """The content of a `status.json`."""
        return as_json(asdict(self))

    def queued(self) -> "Status":
        """This status as it is before a process takes the run up, from now on."""
        now = time.time()
        return replace(
            self, state="queued", pid=None, host=socket.gethostname(), heartbeat=now, reason=""
        )

    @property
    def progress(self) -> float:
        """The share of the run that is done, 0 to 1."""
        if self.epochs <= 0:
            return 0.0
        within = self.step / self.steps if self.steps and self.epoch < self.epochs else 0.0
        return min(1.0, (self.epoch + min(within, 1.0)) / self.epochs)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take at the present speed; `None` when that is unknown."""
        if self.state not in ("running", "stopping") or not self.epochs:
            return None
        seconds = self.epoch_seconds or self._epoch_estimate()
        return None if seconds is None else (1 - self.progress) * self.epochs * seconds

    def _epoch_estimate(self) -> float | None:
        """The duration of an epoch, judged by the one under way."""
        if not (self.step and self.steps and self.epoch_started):
            return None
        return max(0.0, self.heartbeat - self.epoch_started) * self.steps / self.step


def derive_state(status: Status, lock: str | os.PathLike, now: float | None = None) -> str:
    """The state as it is: `interrupted` when the process that should be at work is not.

    On this machine the lock tells whether the process lives, so a process number that was given
    away again misleads nobody; another machine's process lives while its heartbeat is fresh. A
    queued run has a minute to start.

    Args:
        status: What the process wrote.
        lock: The run's `lock` file.
        now: Unix seconds; the present by default.
    """
    if status.state not in ACTIVE:
        return status.state
    fresh = (time.time() if now is None else now) - status.heartbeat < STALE_AFTER
    if status.host != socket.gethostname():
        return status.state if fresh else "interrupted"
    if status.state == "queued" and fresh:
        return "queued"
    locked = is_locked(lock)
    alive = fresh if locked is None else locked
    return status.state if alive and _process_exists(status.pid) else "interrupted"


def _process_exists(pid: int | None) -> bool:
    if pid is None:
        return False
    if os.name == "nt":
        # Signal 0 would end the process there, and the lock has answered already.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def read_state(directory: str | os.PathLike) -> tuple[Status, str]:
    """The status of a run directory and its state as `derive_state` sees it."""
    status = Status.read(Path(directory) / "status.json")
    return status, derive_state(status, Path(directory) / "lock")
