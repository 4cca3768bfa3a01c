"""Runs as a view needs them, read from their files; everything here is called in a thread."""

import re
import socket
from array import array
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnblocks.errors import CnnblocksError
from cnnblocks.runs import EventTail, RunDirectory, RunSummary, Status
from cnnblocks_tui import wording

STATE_SIGNS = {
    "queued": "◌",
    "running": "▶",
    "stopping": "▷",
    "stopped": "■",
    "finished": "✓",
    "failed": "✗",
    "interrupted": "!",
    "unreadable": "?",
}
STATE_COLORS = {
    "queued": "secondary",
    "running": "primary",
    "stopping": "warning",
    "stopped": "secondary",
    "finished": "success",
    "failed": "error",
    "interrupted": "warning",
    "unreadable": "error",
}
ALIVE = ("running", "stopping")
_MOST_POINTS = 20_000
_CHUNK = 1 << 19
_MOST_LINES = 2_000
_ESCAPES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
)
"""What is meant for a terminal: strings such as titles, CSI sequences such as colours, the rest."""


def matches(run: RunSummary, query: str) -> bool:
    """Whether a run has every word of the query, and none of those that begin with `!`.

    Example:

        >>> run = RunSummary("20261122-0512-lenet5-ab12", Path("runs"), "running")
        >>> matches(run, "lenet !failed")
        True
    """
    parts = (run.id, run.state, run.network, run.data, run.note, str(run.path.parent))
    words = " ".join(parts).lower()
    for word in query.lower().split():
        if word.startswith("!"):
            if word[1:] and word[1:] in words:
                return False
        elif word not in words:
            return False
    return True


class Curve:
    """Values over epochs and time, in little memory however long a run is watched."""

    def __init__(self) -> None:
        self.epochs = array("d")
        self.times = array("d")
        self.values = array("d")
        self._stride = 1
        self._skipped = 0

    def add(self, epoch: float, time: float, value: float) -> None:
        """Append a point; beyond 20,000 every second one is dropped and fewer are taken."""
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        self.epochs.append(epoch)
        self.times.append(time)
        self.values.append(value)
        if len(self.values) > _MOST_POINTS:
            self.epochs, self.times, self.values = (
                kept[::2] for kept in (self.epochs, self.times, self.values)
            )
            self._stride *= 2

    def __len__(self) -> int:
        return len(self.values)


class RunFeed:
    """One run as it goes on: its state, its curves and its latest words.

    Args:
        path: The run directory.

    Attributes:
        run: The run's files; `None` when they cannot be read.
        state: The state as it is; `unreadable` when `problem` says why.
        status: What the trainer wrote last.
        config: The configuration, empty before it was read.
        curves: By metric and grain: `("loss", "epoch")` has a point an epoch, `("loss", "step")`
            one a progress event.
        notices: Warnings, resumptions and the like: (time, event, sentence).
        latest: The fields of the last progress event.
        resumed: The epoch after which the run went on last; `None` when it never stopped.
        restarts: Counts up when the log began anew and the curves with it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run: RunDirectory | None = None
        self.state, self.problem = "unreadable", ""
        self.status = Status()
        self.config: Mapping[str, Any] = {}
        self._tail: EventTail | None = None
        self._process: Any = None
        self._use: tuple[str, ...] = ()
        self._begin()

    def _begin(self) -> None:
        self.curves: dict[tuple[str, str], Curve] = {}
        self.notices: deque[tuple[float, str, str]] = deque(maxlen=500)
        self.latest: dict[str, Any] = {}
        self.restarts = 0
        self.resumed: int | None = None
        self._started: float | None = None

    def poll(self) -> bool:
        """Read what is new, about half a megabyte at most; whether there is more.

        A run that cannot be read (deleted, damaged, of a later version) is `unreadable`; what was
        read before stays.
        """
        try:
            return self._poll()
        except (CnnblocksError, OSError, ValueError, TypeError) as error:
            self.state, self.problem = "unreadable", str(error)
            return False

    def _poll(self) -> bool:
        if self.run is None or self._tail is None:
            self.run = RunDirectory(self.path)
            self._tail = self.run.tail()
        self.run.reload()
        self.config = self.run.config
        self.status, self.state = self.run.status, self.run.state
        self._use = self._measure_process()
        events = self._tail.poll(_CHUNK)
        if self._tail.restarts != self.restarts:
            restarts = self._tail.restarts
            self._begin()
            self.restarts = restarts
        for event in events:
            self._take(event)
        return self._left() > _CHUNK // 8

    def _left(self) -> int:
        """Bytes of the log that have not been read."""
        assert self._tail is not None
        try:
            return self._tail.path.stat().st_size - self._tail.position
        except FileNotFoundError:
            return 0

    @property
    def alive(self) -> bool:
        """Whether a process is at work on it."""
        return self.state in ALIVE

    def process_use(self) -> tuple[str, ...]:
        """The training process' share of the processor and its memory, in words."""
        return self._use

    def _measure_process(self) -> tuple[str, ...]:
        pid, here = self.status.pid, self.status.host == socket.gethostname()
        if pid is None or not here or not self.alive:
            return ()
        import psutil

        try:
            if self._process is None or self._process.pid != pid:
                self._process = psutil.Process(pid)
            use, memory = self._process.cpu_percent(), self._process.memory_info().rss
        except psutil.Error:
            return ()
        return f"CPU {use:.0f} %", f"memory {wording.size(memory)}"

    def _take(self, event: Mapping[str, Any]) -> None:
        name, moment = event.get("event"), float(event.get("time") or 0.0)
        if self._started is None:
            self._started = moment
        if name == "progress":
            # The trainer looks at the GPU less often than it tells of its progress.
            self.latest = {"gpu": self.latest.get("gpu"), **event}
            self._extend(event, "step", moment)
        elif name == "epoch_end":
            self._drop_from(float(event.get("epoch") or 0))
            self._extend(event, "epoch", moment)
        elif name in ("run_start", "resume", "warning", "checkpoint", "evaluation", "run_end"):
            if name == "resume":
                self.resumed = event.get("epoch")
            self.notices.append((moment, str(name), sentence(event)))

    def _extend(self, event: Mapping[str, Any], grain: str, moment: float) -> None:
        epoch = float(event.get("epoch") or 0)
        step, steps = float(event.get("step") or 0), float(event.get("steps") or 0)
        place = epoch - 1 + step / steps if grain == "step" and steps else epoch
        values = dict(event.get("metrics") or {})
        for name in ("learning_rate", "images_per_second"):
            values.setdefault(name, event.get(name))
        for name, value in values.items():
            if isinstance(value, int | float):
                curve = self.curves.setdefault((name, grain), Curve())
                curve.add(place, moment - (self._started or moment), float(value))

    def _drop_from(self, epoch: float) -> None:
        """Forget this epoch and later ones: a resumed run repeats what came after a checkpoint."""
        for (_, grain), curve in self.curves.items():
            while grain == "epoch" and len(curve) and curve.epochs[-1] >= epoch:
                for values in (curve.epochs, curve.times, curve.values):
                    values.pop()


def sentence(event: Mapping[str, Any]) -> str:
    """An event in plain words."""
    name = event.get("event")
    if name == "run_start":
        return "Training started."
    if name == "resume":
        return f"Went on after epoch {event.get('epoch', '?')}."
    if name == "checkpoint":
        return f"Checkpoint {event.get('name', '')} written.".replace("  ", " ")
    if name == "evaluation":
        accuracy = (event.get("metrics") or {}).get("accuracy", event.get("accuracy"))
        return "Evaluated." if accuracy is None else f"Evaluated: accuracy {accuracy:.4f}."
    if name == "run_end":
        reason = event.get("reason") or ""
        return f"Run {event.get('state', 'ended')}{f': {reason}' if reason else ''}."
    return str(event.get("message") or event.get("reason") or name)


class ConsoleTail:
    """The last lines of a console log, as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0

    def poll(self, most: int = 1 << 18) -> list[str]:
        """Lines written since the last call; the first call skips all but the last `most` bytes."""
        try:
            size = self.path.stat().st_size
            if size < self._position:
                self._position = 0
            with self.path.open("rb") as file:
                file.seek(max(self._position, size - most))
                data = file.read(most)
        except OSError:
            return []
        end = data.rfind(b"\n") + 1
        self._position = max(self._position, size - most) + end
        text = _ESCAPES.sub("", data[:end].decode("utf-8", "replace"))
        lines = text.split("\n")[:-1]
        return [line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines][-_MOST_LINES:]
