"""One pass over many tensors: slab by slab in small buffers, on a few threads."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, local
from typing import TypeVar

import numpy as np

from cnnblocks.weights.table import Tensor

Progress = Callable[[int, int], None]
"""Called with the bytes done and in all, from one thread at a time, not always the same."""

Item = TypeVar("Item")
Result = TypeVar("Result")

# A slab and the work on it fit together into a core's own cache.
SLAB_BYTES = 1 << 18
_MAX_THREADS = 4


class Cancelled(Exception):
    """The pass was called off by its `cancelled` hook."""


class Pass:
    """Buffers, progress and calling off of one pass.

    Args:
        total: bytes that the pass will read.
        progress: called after every slab.
        cancelled: asked after every slab; when it returns true the pass raises `Cancelled`.
    """

    def __init__(
        self,
        total: int,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._total = total
        self._progress = progress
        self._cancelled = cancelled
        self._done = 0
        self._lock = Lock()
        self._local = local()

    def step(self, nbytes: int) -> None:
        """Count a slab.

        Raises:
            Cancelled: the hook says so.
        """
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if self._progress is not None:
            with self._lock:
                self._done += nbytes
                self._progress(self._done, self._total)

    def buffer(self, use: str, nbytes: int) -> np.ndarray:
        """Return `nbytes` of scratch space, this thread's own for each `use`."""
        found = getattr(self._local, use, None)
        if found is None or found.nbytes < nbytes:
            found = np.empty(nbytes, np.uint8)
            setattr(self._local, use, found)
        return found[:nbytes]

    def scratch(self, use: str, like: np.ndarray) -> np.ndarray:
        """Return scratch space of the size and dtype of `like`."""
        return self.buffer(use, like.nbytes).view(like.dtype)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return the results of `function` for all items, in their order."""
        work = list(items)
        threads = min(_MAX_THREADS, os.cpu_count() or 1, len(work))
        if threads < 2:
            return [function(item) for item in work]
        with ThreadPoolExecutor(threads) as pool:
            futures = [pool.submit(function, item) for item in work]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise


def floating(slab: np.ndarray) -> np.ndarray:
    """Return values as float32 or float64, whichever holds the dtype's precision."""
    if slab.dtype in (np.float32, np.float64):
        return slab
    return slab.astype(np.float32 if slab.dtype == np.float16 else np.float64)


def slab_bytes(tensor: Tensor) -> int:
    """Return how large a slab of `tensor` to read at a time."""
    return min(SLAB_BYTES, max(tensor.bytes, 64))
