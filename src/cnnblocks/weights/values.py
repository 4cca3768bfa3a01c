"""Values of a tensor that still lie in their file, read slab by slab or slice by slice."""

import math
import os
from collections.abc import Callable, Iterator
from threading import Lock
from typing import IO, Any, Protocol

import numpy as np

Reader = Callable[[int, np.ndarray], None]
"""Fills a buffer of bytes with the file's bytes from an offset on, or raises."""

_TOO_SHORT = "the file ends before its values; was it cut short, or rewritten?"


class Values(Protocol):
    """What a format hands to a `Tensor` so that it can read its values when asked."""

    def slabs(self, buffer: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the values in C order, flat, each slab no larger than `buffer`'s bytes."""

    def read(self, selection: tuple[Any, ...]) -> np.ndarray:
        """Return the values of one slice for every axis."""


def numpy_dtype(dtype: str) -> np.dtype:
    """Return the NumPy dtype that values of a tensor's `dtype` come in: bfloat16 as float32."""
    return np.dtype("float32" if dtype == "bfloat16" else dtype)


def decode(raw: np.ndarray, dtype: str) -> np.ndarray:
    """Return flat raw values as native NumPy values, without a copy where they already are."""
    if dtype == "bfloat16":
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    return raw.astype(np.dtype(dtype), copy=False)


def reader_of(stream: IO[bytes], base: int = 0) -> Reader:
    """Return a reader of an open file that threads may share.

    Args:
        stream: the file, opened for reading bytes.
        base: what to add to every offset.
    """
    if hasattr(os, "preadv"):
        return descriptor_reader(stream.fileno, base)
    lock = Lock()

    def read(offset: int, buffer: np.ndarray) -> None:
        with lock:
            stream.seek(base + offset)
            data = stream.read(buffer.nbytes)
        if len(data) < buffer.nbytes:
            raise EOFError(_TOO_SHORT)
        buffer[:] = np.frombuffer(data, np.uint8)

    return read


def descriptor_reader(descriptor: Callable[[], int], base: int = 0) -> Reader:
    """Return a reader of a file descriptor, which leaves its position alone.

    Args:
        descriptor: tells the descriptor, on a system with `os.preadv`, and raises once the file is
            closed: the next file that is opened gets the same number.
        base: what to add to every offset.
    """

    def read(offset: int, buffer: np.ndarray) -> None:
        fd = descriptor()
        view = memoryview(buffer.data).cast("B")
        done = 0
        while done < len(view):
            count = os.preadv(fd, [view[done:]], base + offset + done)
            if count == 0:
                raise EOFError(_TOO_SHORT)
            done += count

    return read


class RawValues:
    """Values that lie in one piece, unpacked, at an offset.

    Args:
        reader: fills a buffer from an offset.
        offset: where the values begin.
        shape: the tensor's shape.
        raw: dtype of the bytes as they lie in the file.
        dtype: the tensor's dtype by name.
    """

    def __init__(
        self, reader: Reader, offset: int, shape: tuple[int, ...], raw: np.dtype, dtype: str
    ) -> None:
        self._reader = reader
        self._offset = offset
        self._shape = shape
        self._raw = raw
        self._dtype = dtype

    def slabs(self, buffer: np.ndarray) -> Iterator[np.ndarray]:
        yield from self._run(0, math.prod(self._shape), buffer)

    def _run(self, first: int, last: int, buffer: np.ndarray) -> Iterator[np.ndarray]:
        size = self._raw.itemsize
        step = max(1, buffer.nbytes // size)
        for start in range(first, last, step):
            chunk = buffer[: (min(start + step, last) - start) * size]
            self._reader(self._offset + start * size, chunk)
            yield decode(chunk.view(self._raw), self._dtype)

    def read(self, selection: tuple[Any, ...]) -> np.ndarray:
        """Read the rows that the first axis' slice spans, then index the rest in memory."""
        if not self._shape:
            return self._rows(0, 1).reshape(())
        rows = range(self._shape[0])[selection[0]]
        if isinstance(rows, int):
            block = self._rows(rows, rows + 1).reshape(self._shape[1:])
            return block[selection[1:]]
        if not rows:
            return np.empty((0, *self._shape[1:]), numpy_dtype(self._dtype))[
                (slice(None), *selection[1:])
            ]
        low, high = min(rows[0], rows[-1]), max(rows[0], rows[-1]) + 1
        block = self._rows(low, high).reshape(high - low, *self._shape[1:])
        return block[:: rows.step][(slice(None), *selection[1:])]

    def _rows(self, low: int, high: int) -> np.ndarray:
        width = math.prod(self._shape[1:])
        raw = np.empty((high - low) * width * self._raw.itemsize, np.uint8)
        if raw.size:
            self._reader(self._offset + low * width * self._raw.itemsize, raw)
        return decode(raw.view(self._raw), self._dtype)
