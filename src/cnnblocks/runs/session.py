"""The trainer's side of a run: the lock, the heartbeat, the events."""

import os
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnblocks.errors import CnnblocksError
from cnnblocks.runs import control
from cnnblocks.runs.errors import RunBusyError
from cnnblocks.runs.events import EventWriter
from cnnblocks.runs.files import remove_leftovers
from cnnblocks.runs.lock import RunLock
from cnnblocks.runs.status import Status, derive_state

BEAT = 2.0
"""Seconds between two heartbeats."""


class TrainingSession:
    """Holds a run while it is trained: nobody else can, and readers see where it is.

    Entering takes the lock, sets the state to `running` and starts a heartbeat in a thread of its
    own, so that a step of many minutes does not look like a dead process. Leaving writes the end:
    `finished` unless `end` said otherwise, `failed` with the reason after an exception, `stopped`
    after `KeyboardInterrupt`.

    Args:
        directory: The run directory.

    Attributes:
        status: The present status; change it with `update`.
        resumed: Whether the run had been trained before.

    Raises:
        RunBusyError: On entering, when another process trains the run.

    Example:

        >>> with TrainingSession(run.path) as session:  # doctest: +SKIP
        ...     session.event("epoch_start", epoch=1, epochs=5)
        ...     session.update(epoch=1, metrics={"loss": 0.3})
        ...     session.end("stopped", "asked to")
    """

    def __init__(self, directory: str | os.PathLike):
        self.directory = Path(directory)
        self.status = Status()
        self.resumed = False
        self._lock = RunLock(self.directory / "lock")
        self._changing = threading.Lock()
        self._over = threading.Event()
        self._ending: tuple[str, str] = ("finished", "")

    def __enter__(self) -> "TrainingSession":
        self._lock.acquire()
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise
        self._beat = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)
        self._beat.start()
        return self

    def _begin(self) -> None:
        earlier = Status.read(self.directory / "status.json")
        self._refuse_another_host(earlier)
        remove_leftovers(self.directory)
        if earlier.state != "queued":
            control.done(self.directory)
        self._events = EventWriter(self.directory / "events.jsonl")
        self.resumed = earlier.started is not None
        now = time.time()
        self.status = replace(
            earlier,
            state="running",
            pid=os.getpid(),
            host=socket.gethostname(),
            heartbeat=now,
            started=now,
            ended=None,
            reason="",
        )
        self._write_status()

    def _refuse_another_host(self, earlier: Status) -> None:
        """The lock of a shared disk may not reach across machines; the heartbeat does."""
        if earlier.host in ("", socket.gethostname()):
            return
        if derive_state(earlier, self._lock.path) in ("running", "stopping"):
            raise RunBusyError(
                f"{self.directory.name} is being trained on {earlier.host} (process {earlier.pid}, "
                f"last sign {time.time() - earlier.heartbeat:.0f} s ago). Stop it there first, or "
                "wait a minute if that machine is gone."
            )

    def __exit__(self, kind: type | None, error: BaseException | None, _traceback: Any) -> None:
        self._over.set()
        self._beat.join()
        state, reason = self._verdict(error)
        try:
            self._last_words(state, reason)
        finally:
            control.done(self.directory)
            self._events.close()
            self._lock.release()

    def _verdict(self, error: BaseException | None) -> tuple[str, str]:
        if error is None:
            return self._ending
        if isinstance(error, KeyboardInterrupt):
            return "stopped", "interrupted from the keyboard"
        told = isinstance(error, CnnblocksError)
        return "failed", str(error) if told else f"{type(error).__name__}: {error}"

    def _last_words(self, state: str, reason: str) -> None:
        """Write the end; on a full disk or in a deleted directory, say what is left to say."""
        now = time.time()
        with self._changing:
            self.status = replace(self.status, state=state, reason=reason, heartbeat=now, ended=now)
        try:
            self._write_status()
        except OSError as error:
            if not self._overwrite_status():
                print(f"{state}: {reason} ({self.directory}: {error})", file=sys.stderr)
        with suppress(OSError):
            self._events.write("run_end", state=state, reason=reason, epoch=self.status.epoch)

    def event(self, name: str, /, **fields: Any) -> None:
        """Append an event; see `EventWriter.write`."""
        self._events.write(name, **fields)

    def update(self, **fields: Any) -> None:
        """Change fields of the status; the next heartbeat writes them, `save` does so at once."""
        with self._changing:
            self.status = replace(self.status, **fields)

    def save(self, **fields: Any) -> None:
        """Change fields of the status and write it now.

        Raises:
            OSError: The disk is full, or the directory is read-only or gone.
        """
        self.update(heartbeat=time.time(), **fields)
        self._write_status()

    def end(self, state: str, reason: str = "") -> None:
        """Settle how the run will have ended when the session is left without an exception."""
        self._ending = (state, reason)

    def abandon(self, reason: str) -> None:
        """Note why the process is about to die in the middle, which readers see as interrupted.

        Args:
            reason: What happened, in a sentence.
        """
        with suppress(OSError):
            self.save(reason=reason)

    def asked(self) -> list[str]:
        """What was asked of the trainer through control files; see `control.asked`."""
        return control.asked(self.directory)

    def done(self, *commands: str) -> None:
        """Remove the control files of commands that were obeyed."""
        control.done(self.directory, *commands)

    def _keep_beating(self) -> None:
        while not self._over.wait(BEAT):
            # A disk that is full for a moment must not end the heartbeat.
            with suppress(OSError):
                self.save()

    def _write_status(self) -> None:
        with self._changing:
            self.status.write(self.directory / "status.json")

    def _overwrite_status(self) -> bool:
        """Write into the status file's own block, which a full disk still allows."""
        path = self.directory / "status.json"
        try:
            content = self.status.as_text().encode()
            with path.open("r+b") as file:
                file.write(content)
                file.truncate()
        except OSError:
            return False
        return True
