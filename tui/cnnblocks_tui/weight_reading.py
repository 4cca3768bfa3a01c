"""Arrays of weight files as a view needs them; what takes time is called in a thread."""

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from cnnblocks.weights import Cancelled, Tensor
from cnnblocks_tui.opening import weight_files

Result = TypeVar("Result")
MOST_VALUES = 4_000_000
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


def read_plane(tensor: Tensor, expression: str) -> Plane:
    """Read the slice as a plane; what would be too much to hold is read with strides.

    Raises:
        SliceError: The slice does not fit the tensor, or leaves more than two axes.
        WeightFileError: The file cannot be read.
    """
    from cnnblocks.weights.slicing import SliceError, normalize, parse

    items = normalize(parse(expression), tensor.shape)
    free = [axis for axis, item in enumerate(items) if isinstance(item, slice)]
    if len(free) > 2:
        raise SliceError(
            f"{expression} leaves {len(free)} axes; a plane has two. Put a number in place of "
            "one of the colons."
        )
    ranges = [range(*items[axis].indices(tensor.shape[axis])) for axis in free]  # type: ignore[union-attr]
    lengths = [len(places) for places in ranges]
    total = int(np.prod(lengths)) if lengths else 1
    stride = 1
    while total // stride ** len(lengths or [1]) > MOST_VALUES:
        stride += 1
    thinned = [
        _thinner(item, stride) if axis in free else str(item) for axis, item in enumerate(items)
    ]
    values = np.asarray(tensor.read_slice("[" + ", ".join(thinned) + "]"), dtype=np.float64)
    starts = tuple(places.start for places in ranges)
    steps = tuple(places.step * stride for places in ranges)
    if values.ndim == 2:
        return Plane(values, expression, stride, starts, steps)
    return Plane(_wrapped(values.reshape(-1)), expression, stride, starts, steps, flat=True)


def _thinner(item: object, stride: int) -> str:
    assert isinstance(item, slice)
    if stride == 1 and item == slice(None):
        return ":"
    start = "" if item.start is None else item.start
    stop = "" if item.stop is None else item.stop
    return f"{start}:{stop}:{(item.step or 1) * stride}"


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
