"""Starting a training that outlives whoever started it."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cnnblocks.runs.errors import RunError
from cnnblocks.runs.status import Status

TRAINER = "cnnblocks.training.process"


def launch(directory: str | os.PathLike) -> int:
    """Train, or go on training, a run directory in a process of its own, and return at once.

    The process has its own session, no standard input, and writes to the run's `console.log`, so
    closing the terminal or the program that started it changes nothing.

    Args:
        directory: The run directory; what to do is all in its files.

    Returns:
        The number of the process.

    Raises:
        OSError: The process could not be started, or `console.log` could not be written.
    """
    directory = Path(directory).absolute()
    with (directory / "console.log").open("ab") as console:
        process = subprocess.Popen(
            [sys.executable, "-m", TRAINER, str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            **_own_session(),
        )
    threading.Thread(target=_await_end, args=(process, directory), daemon=True).start()
    return process.pid


def _await_end(process: subprocess.Popen, directory: Path) -> None:
    """Wait for the process, lest it stay as a zombie, and tell when it never got to training."""
    code = process.wait()
    with suppress(OSError, RunError):
        status = Status.read(directory / "status.json")
        if status.state == "queued":
            reason = f"the process ended with status {code} before training began: see console.log"
            replace(status, state="failed", reason=reason).write(directory / "status.json")


def _own_session() -> dict:
    if os.name == "nt":
        detached = subprocess.DETACHED_PROCESS  # type: ignore[attr-defined]
        return {"creationflags": detached | subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
    return {"start_new_session": True}
