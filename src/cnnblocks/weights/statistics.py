"""Statistics of tensors, read slab by slab in bounded memory."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from cnnblocks.weights.passes import Pass, Progress, floating, slab_bytes
from cnnblocks.weights.quantiles import Sample, exact_quantiles
from cnnblocks.weights.table import Tensor, WeightTable, json_safe

DEAD_SHARE = 1e-3
"""A filter is dead if its norm is below this share of its layer's median norm."""

_MAX_FILTERS = 1 << 20
# Below this share left of a difference, too many of its digits are gone.
_CANCELLED = 0.1


@dataclass(frozen=True)
class TensorStatistics:
    """What the values of one tensor are like.

    NaN and infinities are counted and left out of all else; without any value left, everything
    that needs one is NaN.

    Attributes:
        tensor: the tensor.
        mean: their mean.
        std: their standard deviation, as `numpy.std`.
        min: the smallest.
        max: the largest.
        quantiles: value by quantile (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99). Exact up to 16,384
            values; above, from 16,384 or fewer that lie at even distances, unless `exact` was
            asked for.
        zeros: the share of zeros.
        norm: square root of the sum of squares.
        nan: how many are NaN.
        infinite: how many are infinite.
        filters: the norm of every filter of a kernel, in order of the output channels (for a
            depthwise kernel input channel and multiplier), `None` for other roles.
        dead_filters: numbers of the filters whose norm is below `DEAD_SHARE` of the median norm.
        bad_variances: numbers of the channels of a moving variance at zero or below.
    """

    tensor: Tensor
    mean: float
    std: float
    min: float
    max: float
    quantiles: dict[float, float]
    zeros: float
    norm: float
    nan: int
    infinite: int
    filters: np.ndarray | None
    dead_filters: tuple[int, ...]
    bad_variances: tuple[int, ...]

    @property
    def problems(self) -> list[str]:
        """What is wrong with it, in words; empty if nothing is."""
        size = self.tensor.size
        found = [
            (self.nan, f"{self.nan:,} NaN"),
            (self.infinite, f"{self.infinite:,} infinite"),
            (self.dead_filters, f"{len(self.dead_filters)} dead filters"),
            (self.bad_variances, f"variance not above zero in {len(self.bad_variances)} channels"),
            (size and self.tensor.role == "kernel" and self.zeros == 1, "all zero"),
        ]
        return [text for wrong, text in found if wrong]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it, with `null` for NaN."""
        values = {
            "mean": self.mean,
            "std": self.std,
            "min": self.min,
            "max": self.max,
            "quantiles": {str(q): value for q, value in self.quantiles.items()},
            "zeros": self.zeros,
            "norm": self.norm,
            "nan": self.nan,
            "infinite": self.infinite,
            "dead_filters": list(self.dead_filters),
            "bad_variances": list(self.bad_variances),
            "problems": self.problems,
        }
        return {**self.tensor.to_json(), **json_safe(values)}


@overload
def statistics(
    tensors: Tensor,
    *,
    exact: bool = ...,
    progress: Progress | None = ...,
    cancelled: Callable[[], bool] | None = ...,
) -> TensorStatistics: ...


@overload
def statistics(
    tensors: WeightTable | Iterable[Tensor],
    *,
    exact: bool = ...,
    progress: Progress | None = ...,
    cancelled: Callable[[], bool] | None = ...,
) -> list[TensorStatistics]: ...


def statistics(
    tensors: Tensor | WeightTable | Iterable[Tensor],
    *,
    exact: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> TensorStatistics | list[TensorStatistics]:
    """Return the statistics of a tensor, or of several, each value read once.

    Args:
        tensors: a tensor; or several; or a table, which stands for all but the optimizer's.
        exact: make the quantiles of large tensors exact too, which reads them two to four times
            more.
        progress: called with the bytes done and the bytes in all.
        cancelled: asked often; when it returns true, `Cancelled` is raised.

    Raises:
        WeightFileError: values cannot be read.
        Cancelled: `cancelled` said so.

    Example:

        >>> with weights.open("model.h5") as table:
        ...     for row in weights.statistics(table):
        ...         print(row.tensor.name, row.mean, row.problems)
    """
    if isinstance(tensors, Tensor):
        return statistics([tensors], exact=exact, progress=progress, cancelled=cancelled)[0]
    chosen = tensors.weights if isinstance(tensors, WeightTable) else list(tensors)
    work = Pass(sum(tensor.bytes for tensor in chosen), progress, cancelled)
    return work.map(lambda tensor: _one(tensor, work, exact), chosen)


def _one(tensor: Tensor, work: Pass, exact: bool) -> TensorStatistics:
    moments = _Moments()
    sample = Sample(tensor.size, math.prod(tensor.shape[1:]))
    filters = _Filters.of(tensor)
    bad_variances: list[int] = []
    start = 0
    size = slab_bytes(tensor)
    for slab in tensor.slabs(buffer=work.buffer("slab", size)):
        values = floating(slab)
        moments.add(values, work, filters, start)
        sample.add(values, start)
        if tensor.role == "moving_variance":
            bad_variances += (start + np.flatnonzero(values <= 0)).tolist()
        start += slab.size
        work.step(slab.nbytes)
    if exact and not sample.complete:
        quantiles = exact_quantiles(tensor, moments.negative_infinite, moments.count)
    else:
        quantiles = sample.quantiles()
    empty = moments.count == 0
    return TensorStatistics(
        tensor=tensor,
        mean=math.nan if empty else moments.mean,
        std=math.nan if empty else math.sqrt(max(moments.m2, 0.0) / moments.count),
        min=math.nan if empty else moments.min,
        max=math.nan if empty else moments.max,
        quantiles=quantiles,
        zeros=math.nan if empty else moments.zeros / moments.count,
        norm=math.sqrt(max(moments.m2 + moments.count * moments.mean**2, 0.0)),
        nan=moments.nan,
        infinite=moments.infinite,
        filters=filters.norms() if filters is not None else None,
        dead_filters=filters.dead() if filters is not None else (),
        bad_variances=tuple(bad_variances),
    )


class _Moments:
    """Sums over slabs: in the slab's own precision within one, in double precision over all."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.m2 = 0.0
        self.min = math.inf
        self.max = -math.inf
        self.zeros = 0
        self.nan = 0
        self.infinite = 0
        self.negative_infinite = 0

    def add(self, values: np.ndarray, work: Pass, filters: "_Filters | None", start: int) -> None:
        """Add a slab that begins `start` values into the tensor."""
        if not values.size:
            return
        with np.errstate(all="ignore"):
            squares = np.multiply(values, values, out=work.scratch("scratch", values))
            total = float(np.add.reduce(values))
            square = filters.add(squares, start) if filters else float(np.add.reduce(squares))
            if not math.isfinite(square) or not math.isfinite(total):
                self._add_carefully(values)
                return
            mean = total / values.size
            m2 = square - total * mean
            if m2 < _CANCELLED * square:
                centred = np.subtract(values, values.dtype.type(mean), out=squares)
                m2 = float(np.add.reduce(np.multiply(centred, centred, out=centred)))
        zeros = np.equal(values, 0, out=work.buffer("mask", values.size).view(np.bool_))
        self.zeros += int(np.count_nonzero(zeros))
        self._combine(values.size, mean, m2, float(values.min()), float(values.max()))

    def _add_carefully(self, values: np.ndarray) -> None:
        """Add a slab that has NaN, infinities, or values whose squares overflow."""
        nan = int(np.count_nonzero(np.isnan(values)))
        finite = values[np.isfinite(values)].astype(np.float64)
        self.nan += nan
        self.infinite += values.size - nan - finite.size
        self.negative_infinite += int(np.count_nonzero(values == -np.inf))
        if finite.size:
            self.zeros += int(np.count_nonzero(finite == 0))
            mean = float(finite.mean())
            m2 = float(np.square(finite - mean).sum())
            self._combine(finite.size, mean, m2, float(finite.min()), float(finite.max()))

    def _combine(self, count: int, mean: float, m2: float, low: float, high: float) -> None:
        """Chan's formula for the mean and the sum of squared deviations of two parts."""
        total = self.count + count
        delta = mean - self.mean
        self.m2 += m2 + delta * delta * self.count * count / total
        self.mean += delta * count / total
        self.count = total
        self.min = min(self.min, low)
        self.max = max(self.max, high)


class _Filters:
    """The norm of every filter of a kernel: sums of squares over all axes but its own."""

    def __init__(self, inner: int, outputs: int) -> None:
        self._squares = np.zeros(inner)
        self._outputs = outputs

    @classmethod
    def of(cls, tensor: Tensor) -> "_Filters | None":
        """Return the filters of a kernel whose axes are known, `None` for any other tensor."""
        if not tensor.axes or not tensor.size:
            return None
        axis = tensor.axes.index("in" if tensor.role == "depthwise_kernel" else "out")
        inner = math.prod(tensor.shape[axis:])
        if inner > _MAX_FILTERS:
            return None
        last = tensor.role == "depthwise_kernel"
        return cls(inner, inner if last else tensor.shape[axis])

    def add(self, squares: np.ndarray, start: int) -> float:
        """Add the squares of a slab, `start` values into the tensor; return their sum."""
        width = self._squares.size
        phase = start % width
        head = min(width - phase, squares.size) if phase else 0
        rows = (squares.size - head) // width
        tail = squares[head + rows * width :]
        sums = _column_sums(squares[head : head + rows * width].reshape(rows, width))
        sums[phase : phase + head] += squares[:head]
        sums[: tail.size] += tail
        self._squares += sums
        return float(sums.sum())

    def norms(self) -> np.ndarray:
        """Return the norm of every filter."""
        return np.sqrt(self._squares.reshape(self._outputs, -1).sum(axis=1))

    def dead(self) -> tuple[int, ...]:
        """Return the numbers of the filters with next to no norm beside the others."""
        norms = self.norms()
        usual = float(np.median(norms[np.isfinite(norms)])) if np.isfinite(norms).any() else 0.0
        if norms.size < 2 or usual == 0:
            return ()
        return tuple(np.flatnonzero(norms < DEAD_SHARE * usual).tolist())


def _column_sums(body: np.ndarray) -> np.ndarray:
    """Sum over rows; narrow rows are first joined into wide ones, which sum much faster."""
    rows, width = body.shape
    fold = max(1, min(512 // max(width, 1), rows))
    whole = rows // fold * fold
    wide = np.add.reduce(body[:whole].reshape(-1, fold * width), axis=0, dtype=body.dtype)
    sums = wide.reshape(fold, width).sum(axis=0, dtype=np.float64)
    return sums + body[whole:].sum(axis=0, dtype=np.float64)


def histogram(
    tensor: Tensor,
    bins: int = 64,
    limits: tuple[float, float] | None = None,
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return how many values fall into each of `bins` equal parts of a range.

    Args:
        tensor: the tensor.
        bins: how many parts.
        limits: the range; by default from the smallest to the largest finite value.
        progress: called with the bytes done and the bytes in all.
        cancelled: asked often; when it returns true, `Cancelled` is raised.

    Returns:
        The counts, `bins` of them, and the edges, one more. NaN and infinities are left out.

    Raises:
        WeightFileError: values cannot be read.
    """
    if limits is None:
        found = statistics(tensor, cancelled=cancelled)
        limits = (found.min, found.max) if math.isfinite(found.min) else (0.0, 1.0)
    work = Pass(tensor.bytes, progress, cancelled)
    edges = np.histogram_bin_edges(np.empty(0), bins, limits)
    counts = np.zeros(bins, np.int64)
    for slab in tensor.slabs(buffer=work.buffer("slab", slab_bytes(tensor))):
        values = floating(slab)
        counts += np.histogram(values[np.isfinite(values)], bins, (edges[0], edges[-1]))[0]
        work.step(slab.nbytes)
    return counts, edges
