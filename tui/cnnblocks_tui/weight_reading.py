"""Arrays of weight files as a view needs them; what takes time is called in a thread."""

import asyncio
import math
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from cnnblocks.weights import Cancelled, SliceError, Tensor
from cnnblocks.weights.slicing import normalize, parse
from cnnblocks_tui.opening import weight_files

Result = TypeVar("Result")
Place = int | range
MOST_VALUES = 4_000_000
PART = 8_000_000
ROW = 64


async def read_in_thread(
    reading: threading.Lock, read: Callable[[threading.Event], Result]
) -> Result:
    """Read in a thread, one at a time; a task that is cancelled tells its thread, which soon ends.

    Args:
        reading: Held by the thread that reads.
        read: Called with an event that is set when nobody wants the answer any more.
    """
    cancelled = threading.Event()

    def guarded() -> Result:
        with reading:
            if cancelled.is_set():
                raise Cancelled
            return read(cancelled)

    try:
        return await asyncio.to_thread(guarded)
    except asyncio.CancelledError:
        cancelled.set()
        raise


@dataclass(frozen=True)
class Plane:
    """A two-dimensional part of a tensor.

    Attributes:
        values: What is shown.
        expression: The slice it came from.
        stride: How many values that the slice has stand for one that is shown.
        starts: Where the plane begins in the tensor, for each axis that the slice leaves.
        steps: How many values of the tensor lie between two of the plane, for each of these axes.
        flat: Whether it is a vector wrapped into rows.
    """

    values: np.ndarray
    expression: str
    stride: int = 1
    starts: tuple[int, ...] = (0, 0)
    steps: tuple[int, ...] = (1, 1)
    flat: bool = False


def default_slice(tensor: Tensor) -> str:
    """The slice that shows most of a tensor: its two longest axes, in order, at the others' 0.

    Example: a kernel of shape (3, 3, 64, 128) gives `[0, 0, :, :]`.
    """
    shape = tensor.shape
    longest = sorted(sorted(range(len(shape)), key=lambda axis: -shape[axis])[:2])
    return "[" + ", ".join(":" if axis in longest else "0" for axis in range(len(shape))) + "]"


def read_plane(tensor: Tensor, expression: str, cancelled: threading.Event) -> Plane:
    """Read the slice as a plane; what would be too much to hold is read with strides.

    Raises:
        SliceError: The slice does not fit the tensor, or leaves more than two axes.
        WeightFileError: The file cannot be read.
        Cancelled: The event was set on the way.
    """
    places = _places(tensor, expression)
    lengths = [len(place) for place in places if isinstance(place, range)]
    if len(lengths) > 2:
        raise SliceError(
            f"{expression} leaves {len(lengths)} axes; a plane has two. Put a number in place of "
            "one of the colons."
        )
    stride = 1
    while math.prod(lengths) // stride ** len(lengths) > MOST_VALUES:
        stride += 1
    places = [place[::stride] if isinstance(place, range) else place for place in places]
    values = _read_parts(tensor, places, cancelled)
    starts = tuple(place.start for place in places if isinstance(place, range))
    steps = tuple(place.step for place in places if isinstance(place, range))
    if values.ndim == 2:
        return Plane(values, expression, stride, starts, steps)
    return Plane(_wrapped(values.reshape(-1)), expression, stride, starts, steps, flat=True)


def _places(tensor: Tensor, expression: str) -> list[Place]:
    """For each axis, the number or the range of numbers that a slice picks."""
    items = normalize(parse(expression), tensor.shape)
    return [
        range(*item.indices(length)) if isinstance(item, slice) else item
        for item, length in zip(items, tensor.shape, strict=True)
    ]


def _read_parts(tensor: Tensor, places: Sequence[Place], cancelled: threading.Event) -> np.ndarray:
    """Read some rows at a time, so that it can be given up on the way."""
    free = [(axis, place) for axis, place in enumerate(places) if isinstance(place, range)]
    if not free:
        return _read(tensor, places)
    axis, rows = free[0]
    most = max(1, PART * tensor.shape[axis] // max(1, tensor.size * abs(rows.step)))
    parts = []
    for start in range(0, max(1, len(rows)), most):
        if cancelled.is_set():
            raise Cancelled
        part = rows[start : start + most]
        parts.append(_read(tensor, [*places[:axis], part, *places[axis + 1 :]]))
    return np.concatenate(parts)


def _read(tensor: Tensor, places: Sequence[Place]) -> np.ndarray:
    expression = ", ".join(map(_text, places))
    return np.asarray(tensor.read_slice(f"[{expression}]"), dtype=np.float64)


def _text(place: Place) -> str:
    if isinstance(place, int):
        return str(place)
    stop = "" if place.stop < 0 else place.stop
    return f"{place.start}:{stop}:{place.step}"


def _wrapped(values: np.ndarray) -> np.ndarray:
    """A vector in rows of 64, the last one filled up with NaN."""
    if len(values) <= ROW:
        return values[None, :]
    rows = -(-len(values) // ROW)
    padded = np.full(rows * ROW, np.nan)
    padded[: len(values)] = values
    return padded.reshape(rows, ROW)


def reading_of(plane: Plane, axes: tuple[str, ...], row: int, column: int) -> str:
    """What the cursor reads at a place of a plane."""
    value = plane.values[row, column]
    if np.isnan(value) and plane.flat:
        return "–"
    shown = (row * ROW + column,) if plane.flat else (row, column)
    places = [a + n * step for a, n, step in zip(plane.starts, shown, plane.steps, strict=False)]
    names = ", ".join(axes)
    return f"{places} = {value:.6g}" + (f"   ({names})" if names else "")


def kernels_of(tensor: Tensor, channel: int, most: int = 1024) -> np.ndarray:
    """A convolution's kernels as pictures `(out, height, width)` for one input channel.

    A kernel over three channels comes as pictures in colour, `(out, height, width, 3)`, when
    `channel` is -1.
    """
    count = min(tensor.shape[3], most)
    if channel < 0:
        values = np.asarray(tensor.read_slice(f"[:, :, :, :{count}]"), dtype=np.float64)
        span = np.abs(values).max() or 1.0
        return ((values / span + 1) * 127.5).transpose(3, 0, 1, 2).astype(np.uint8)
    values = tensor.read_slice(f"[:, :, {channel}, :{count}]")
    kernels: np.ndarray = np.asarray(values, dtype=np.float64).transpose(2, 0, 1)
    return kernels


def siblings(path: Path) -> list[Path]:
    """The files that the slider goes through: the directory's weight files named alike.

    `last` and `best` stand behind the numbered ones, as in a run's checkpoints.
    """
    suffix = "".join(path.suffixes[-2:])
    alike = [other for other in weight_files(path.parent) if other.name.endswith(suffix)]
    numbered = [other for other in alike if re.search(r"\d", other.name.removesuffix(suffix))]
    if path.name.removesuffix(suffix) in ("last", "best"):
        return [*numbered, path] if path in alike else numbered
    stem = re.sub(r"\d+", "#", path.name)
    return [other for other in numbered if re.sub(r"\d+", "#", other.name) == stem] or [path]
