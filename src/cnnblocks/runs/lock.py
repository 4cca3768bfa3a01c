"""One process at a time trains a run."""

import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from cnnblocks.runs.errors import RunBusyError
from cnnblocks.runs.files import SCHEMA

_PATIENCE = 1.0
_FAR_BYTE = 1 << 30


class RunLock:
    """The lock of a run directory, held by the operating system for as long as the process lives.

    A process that dies, however it dies, lets go of it, so there is nothing to clean up. The file
    says who holds it, for people to read.

    Args:
        path: The run's `lock` file.

    Example:

        >>> import tempfile
        >>> lock = RunLock(Path(tempfile.mkdtemp()) / "lock")
        >>> lock.acquire()
        >>> is_locked(lock.path)
        True
        >>> lock.release()
        >>> is_locked(lock.path)
        False
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            RunBusyError: Another process of this machine holds it.
            OSError: The directory is read-only or gone.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        deadline = time.monotonic() + _PATIENCE
        while not _try_lock(descriptor, exclusive=True):
            # A reader that looks whether the run lives holds the lock for a moment.
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise RunBusyError(self._held_by())
            time.sleep(0.02)
        self._descriptor = descriptor
        owner = {"schema": SCHEMA, "pid": os.getpid(), "host": socket.gethostname()}
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(owner).encode())

    def release(self) -> None:
        """Let go of the lock; nothing happens when it is not held."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            _unlock(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _held_by(self) -> str:
        run = self.path.parent.name
        try:
            owner = json.loads(self.path.read_bytes())
            holder = f"process {owner['pid']} on {owner['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            holder = "another process"
        return (
            f"{run} is being trained by {holder}; only one process may train a run. "
            f"Watch it with: cnnblocks follow {run}, stop it with: cnnblocks stop {run}"
        )


def is_locked(path: str | os.PathLike) -> bool | None:
    """Whether a process of this machine holds the lock; `None` when that cannot be told."""
    try:
        descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        free = _try_lock(descriptor, exclusive=False)
        if free:
            _unlock(descriptor)
        return not free
    except OSError:
        return None
    finally:
        os.close(descriptor)


if os.name == "nt":
    import msvcrt

    def _try_lock(descriptor: int, exclusive: bool) -> bool:
        # Windows locks bytes against reading too: lock one that the file never reaches.
        os.lseek(descriptor, _FAR_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]

else:
    import fcntl

    def _try_lock(descriptor: int, exclusive: bool) -> bool:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
