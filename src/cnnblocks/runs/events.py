"""The event log of a run: one JSON object a line, only ever appended to.

Every line is written by one system call, so several processes may append, and a reader may start
at any time: it never gets half a line.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cnnblocks.runs.files import SCHEMA, check_schema, plain

_MARK = 64
_CHUNK = 1 << 20


class EventWriter:
    """Appends events to a log.

    Args:
        path: The log; created when missing.

    Raises:
        OSError: The disk is full, or the directory is read-only or gone.

    Example:

        >>> import tempfile
        >>> log = Path(tempfile.mkdtemp()) / "events.jsonl"
        >>> with EventWriter(log) as events:
        ...     events.write("epoch_start", epoch=1, epochs=5)
        >>> read_events(log)[0]["epoch"]
        1
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self.path, flags, 0o666)
        self._mid_line = not self._ends_with_newline()

    def _ends_with_newline(self) -> bool:
        """Whether the last writer finished its line; one that was killed may not have."""
        size = os.lseek(self._descriptor, 0, os.SEEK_END)
        if size == 0:
            return True
        os.lseek(self._descriptor, size - 1, os.SEEK_SET)
        return os.read(self._descriptor, 1) == b"\n"

    def write(self, event: str, /, **fields: Any) -> None:
        """Append one event with the time of now.

        Args:
            event: What happened, such as `"epoch_end"`.
            **fields: Whatever belongs to it; numbers that are not finite become `None`.

        Raises:
            OSError: The line could not be written in full.
        """
        record = {"schema": SCHEMA, "time": round(time.time(), 3), "event": event, **fields}
        line = json.dumps(plain(record), separators=(",", ":")).encode() + b"\n"
        if self._mid_line:
            line = b"\n" + line
        self._mid_line = True
        written = os.write(self._descriptor, line)
        while written < len(line):
            written += os.write(self._descriptor, line[written:])
        self._mid_line = False

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "EventWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EventTail:
    """Reads a log from any place on, as it grows.

    A log that is missing reads as empty. One that was cut short or replaced is read again from its
    start, and `restarts` counts up so that a view can begin anew.

    Args:
        path: The log.
        position: The byte to start from, as `position` of an earlier reader gave it.

    Attributes:
        position: The byte after the last whole line that was read.
        restarts: How often the log turned out to be another one.
        damaged: How many lines were no events (the rest of a write that was killed).

    Example:

        >>> import tempfile
        >>> log = Path(tempfile.mkdtemp()) / "events.jsonl"
        >>> tail = EventTail(log)
        >>> tail.poll()
        []
        >>> EventWriter(log).write("run_start")
        >>> [event["event"] for event in tail.poll()]
        ['run_start']
    """

    def __init__(self, path: str | os.PathLike, position: int = 0):
        self.path = Path(path)
        self.position = position
        self.restarts = 0
        self.damaged = 0
        self._mark = b""
        self._identity: tuple[int, int] | None = None

    def poll(self, max_bytes: int = 4 * _CHUNK) -> list[dict[str, Any]]:
        """The events written since the last call, oldest first; empty when there are none.

        Args:
            max_bytes: Read about this much at most, so that a view stays responsive; call again
                until nothing comes. A line longer than this is still read in full.

        Raises:
            NewerSchemaError: A later version of cnnblocks wrote the log.
            OSError: The log is there and cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                self._restart_if_replaced(file)
                file.seek(self.position)
                return self._next_events(file, max_bytes)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _next_events(self, file: Any, max_bytes: int) -> list[dict[str, Any]]:
        while data := _whole_lines(file, max_bytes):
            if events := self._parse(data):
                return events
            file.seek(self.position)
        return []

    def _restart_if_replaced(self, file: Any) -> None:
        status = os.fstat(file.fileno())
        identity = (status.st_dev, status.st_ino)
        replaced = self._identity not in (None, identity)
        if replaced or status.st_size < self.position or not self._mark_is_there(file):
            self.position, self._mark = 0, b""
            self.restarts += 1
        self._identity = identity

    def _mark_is_there(self, file: Any) -> bool:
        """Whether the last bytes that were read are still in the file where they were."""
        file.seek(self.position - len(self._mark))
        return file.read(len(self._mark)) == self._mark

    def _parse(self, data: bytes) -> list[dict[str, Any]]:
        self.position += len(data)
        self._mark = (self._mark + data[-_MARK:])[-_MARK:]
        return [event for line in data.splitlines() if (event := self._event(line))]

    def _event(self, line: bytes) -> dict[str, Any] | None:
        if not line.strip():
            return None
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict) or "event" not in event:
            self.damaged += 1
            return None
        check_schema(event, self.path)
        return event


def _whole_lines(file: Any, max_bytes: int) -> bytes:
    """The next bytes of `file` that end with a newline, about `max_bytes` of them."""
    data = b""
    while chunk := file.read(max(1, max_bytes)):
        data += chunk
        end = data.rfind(b"\n") + 1
        if end:
            return data[:end]
    return b""


def read_events(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Every event of a log, oldest first; empty when the log is missing."""
    tail, events = EventTail(path), []
    while batch := tail.poll():
        events += batch
    return events


def follow_events(
    path: str | os.PathLike, ended: Callable[[], bool], interval: float = 0.2, position: int = 0
) -> Iterator[dict[str, Any]]:
    """Yield a log's events as they come, until `ended` says so and all of them are read.

    Args:
        path: The log; it need not exist yet.
        ended: Asked whenever there is nothing new; `True` ends the iteration.
        interval: Seconds between two looks at the file.
        position: The byte to start from.
    """
    tail = EventTail(path, position)
    while True:
        last_look = ended()
        while events := tail.poll():
            yield from events
        if last_look:
            return
        time.sleep(interval)
