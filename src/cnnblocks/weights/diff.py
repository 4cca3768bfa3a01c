"""What differs between two weight files."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cnnblocks.weights.opening import open as open_table
from cnnblocks.weights.pairing import Pairing, pair
from cnnblocks.weights.passes import Pass, Progress, floating, slab_bytes
from cnnblocks.weights.table import Tensor, WeightTable, json_safe


@dataclass(frozen=True)
class TensorDifference:
    """How two tensors that stand for the same weight differ.

    Attributes:
        a: the tensor in the first file.
        b: the tensor in the second.
        by: what they were matched by: `path`, `name` or `structure`.
        different: how many values differ by more than the tolerance; all of them if the shapes do.
        max_abs: the largest absolute difference; NaN, as all below, if the shapes differ.
        mean_abs: the mean absolute difference.
        relative: norm of the difference over the norm of the first.
        cosine: cosine of the angle between the two; 1 if both are all zero.
        norm: norm of the difference.
        norm_a: norm of the first.
    """

    a: Tensor
    b: Tensor
    by: str
    different: int
    max_abs: float
    mean_abs: float
    relative: float
    cosine: float
    norm: float
    norm_a: float

    @property
    def same_shape(self) -> bool:
        """Whether the shapes are the same, so that values could be compared."""
        return self.a.shape == self.b.shape

    @property
    def equal(self) -> bool:
        """Whether the shapes are the same and no value differs by more than the tolerance."""
        return self.same_shape and not self.different

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it, with `null` for NaN and infinities."""
        values = {
            "different": self.different,
            "max_abs": self.max_abs,
            "mean_abs": self.mean_abs,
            "relative": self.relative,
            "cosine": self.cosine,
        }
        return {
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "by": self.by,
            "equal": self.equal,
            "same_shape": self.same_shape,
            **json_safe(values),
        }


@dataclass(frozen=True)
class TableDifference:
    """What differs between two weight files.

    Attributes:
        common: the tensors that both have, in the first file's order.
        only_a: the tensors of the first that the second lacks.
        only_b: the tensors of the second that the first lacks.
    """

    common: list[TensorDifference]
    only_a: list[Tensor]
    only_b: list[Tensor]

    @property
    def equal(self) -> bool:
        """Whether both files have the same tensors, equal within the tolerance."""
        return not self.only_a and not self.only_b and all(row.equal for row in self.common)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it: the object that `weights diff --json` prints."""
        return {
            "schema": 1,
            "equal": self.equal,
            "common": [row.to_json() for row in self.common],
            "only_a": [tensor.to_json() for tensor in self.only_a],
            "only_b": [tensor.to_json() for tensor in self.only_b],
        }


def diff(
    a: WeightTable | str | Path,
    b: WeightTable | str | Path,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    optimizer: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> TableDifference:
    """Compare two weight files, of the same format or not.

    Tensors are matched by path or name; what that leaves over, by the layers' roles, shapes and
    order if the files are of different formats or share no name. Values are compared as numbers,
    so a file in float16 can equal one in float32.

    Args:
        a: the first file, or its open table.
        b: the second.
        rtol: relative tolerance: a value differs if `abs(a - b) > atol + rtol * abs(b)`.
        atol: absolute tolerance.
        optimizer: compare the state of the optimizer and of metrics too.
        progress: called with the bytes done and the bytes in all.
        cancelled: asked often; when it returns true, `Cancelled` is raised.

    Raises:
        WeightFileError: a file cannot be read.
        Cancelled: `cancelled` said so.

    Example:

        >>> weights.diff("epoch-0001.weights.h5", "epoch-0002.weights.h5").equal
        False
    """
    if not isinstance(a, WeightTable):
        with open_table(a) as table:
            return diff(
                table, b, rtol=rtol, atol=atol, optimizer=optimizer,
                progress=progress, cancelled=cancelled,
            )  # fmt: skip
    if not isinstance(b, WeightTable):
        with open_table(b) as table:
            return diff(
                a, table, rtol=rtol, atol=atol, optimizer=optimizer,
                progress=progress, cancelled=cancelled,
            )  # fmt: skip
    pairs = pair(a, b, optimizer)
    total = sum(p.a.bytes + p.b.bytes for p in pairs.matched if p.a.shape == p.b.shape)
    work = Pass(total, progress, cancelled)
    common = work.map(lambda p: _compare(p, rtol, atol, work), pairs.matched)
    return TableDifference(common, pairs.only_a, pairs.only_b)


def compare(
    pairing: Pairing,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> TensorDifference:
    """Compare two tensors that `pair` matched: `diff` for one row, for those who show rows early.

    Args:
        pairing: the two tensors.
        rtol: as for `diff`.
        atol: as for `diff`.
        progress: called with the bytes done and the bytes in all.
        cancelled: asked often; when it returns true, `Cancelled` is raised.

    Raises:
        WeightFileError: values cannot be read.
        Cancelled: `cancelled` said so.
    """
    work = Pass(pairing.a.bytes + pairing.b.bytes, progress, cancelled)
    return _compare(pairing, rtol, atol, work)


def _compare(pairing: Pairing, rtol: float, atol: float, work: Pass) -> TensorDifference:
    a, b = pairing.a, pairing.b
    if a.shape != b.shape:
        nan = math.nan
        return TensorDifference(a, b, pairing.by, max(a.size, b.size), nan, nan, nan, nan, nan, nan)
    sums = _Sums(rtol, atol)
    left = a.slabs(buffer=work.buffer("a", slab_bytes(a)))
    right = b.slabs(buffer=work.buffer("b", slab_bytes(b)))
    for one, other in _aligned(left, right):
        sums.add(one, other, work)
        work.step(one.nbytes + other.nbytes)
    return TensorDifference(
        a=a,
        b=b,
        by=pairing.by,
        different=sums.different,
        max_abs=sums.max_abs,
        mean_abs=sums.abs / a.size if a.size else 0.0,
        relative=_ratio(math.sqrt(sums.dd), math.sqrt(sums.aa)),
        cosine=sums.cosine(),
        norm=math.sqrt(sums.dd),
        norm_a=math.sqrt(sums.aa),
    )


def _ratio(part: float, whole: float) -> float:
    if whole:
        return part / whole
    return math.inf if part else 0.0


def _aligned(
    left: Iterator[np.ndarray], right: Iterator[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cut two runs of slabs into pieces of equal length; each slab is used before the next."""
    a = b = np.empty(0)
    while True:
        a = a if a.size else next(left, a)
        b = b if b.size else next(right, b)
        count = min(a.size, b.size)
        if not count:
            return
        yield a[:count], b[:count]
        a, b = a[count:], b[count:]


class _Sums:
    """Sums over pieces: in their own precision within one, in double precision over all."""

    def __init__(self, rtol: float, atol: float) -> None:
        self._rtol = rtol
        self._atol = atol
        self.different = 0
        self.max_abs = 0.0
        self.abs = 0.0
        self.aa = 0.0
        self.bb = 0.0
        self.ab = 0.0
        self.dd = 0.0

    def add(self, one: np.ndarray, other: np.ndarray, work: Pass) -> None:
        a, b = floating(one), floating(other)
        if a.dtype != b.dtype:
            a, b = a.astype(np.float64), b.astype(np.float64)
        with np.errstate(all="ignore"):
            delta = np.subtract(a, b, out=work.scratch("delta", a))
            scratch = work.scratch("scratch", a)
            sums = (_dot(a, a, scratch), _dot(b, b, scratch), _dot(a, b, scratch))
            square = _dot(delta, delta, scratch)
            if not math.isfinite(sum(sums)) or not math.isfinite(square):
                self._add_carefully(a.astype(np.float64), b.astype(np.float64))
                return
            distance = np.abs(delta, out=delta)
            self._count(distance, b, square)
        self.max_abs = max(self.max_abs, float(distance.max()))
        self.abs += float(np.add.reduce(distance))
        self._add_sums(*sums, square)

    def _count(self, distance: np.ndarray, b: np.ndarray, square: float) -> None:
        if self._rtol:
            self.different += int(np.count_nonzero(distance > self._atol + self._rtol * np.abs(b)))
        else:
            self.different += int(np.count_nonzero(distance > self._atol))

    def _add_sums(self, aa: float, bb: float, ab: float, dd: float) -> None:
        self.aa += aa
        self.bb += bb
        self.ab += ab
        self.dd += dd

    def _add_carefully(self, a: np.ndarray, b: np.ndarray) -> None:
        """Add a piece with NaN, infinities or overflow: the same NaN in both is no difference."""
        finite = np.isfinite(a) & np.isfinite(b)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        odd = int(np.count_nonzero(~finite & ~same))
        self.different += odd
        if odd:
            self.max_abs = self.abs = math.inf
        a, b = a[finite], b[finite]
        if not a.size:
            return
        distance = np.abs(a - b)
        self._count(distance, b, 0.0)
        self.max_abs = max(self.max_abs, float(distance.max()))
        self.abs += float(distance.sum())
        scratch = np.empty_like(a)
        sums = (_dot(a, a, scratch), _dot(b, b, scratch), _dot(a, b, scratch))
        self._add_sums(*sums, _dot(distance, distance, scratch))

    def cosine(self) -> float:
        """Return the cosine of the angle between the two."""
        if self.aa and self.bb:
            return max(-1.0, min(1.0, self.ab / math.sqrt(self.aa) / math.sqrt(self.bb)))
        return 1.0 if self.aa == self.bb else 0.0


def _dot(a: np.ndarray, b: np.ndarray, scratch: np.ndarray) -> float:
    return float(np.add.reduce(np.multiply(a, b, out=scratch)))


@dataclass(frozen=True)
class Movement:
    """How far one layer moved over a series of files.

    Attributes:
        layer: the layer.
        steps: norm of each change over the norm before it, one for every file but the first.
        total: the same from the first file to the last.
    """

    layer: str
    steps: list[float]
    total: float


def movement(
    paths: list[Path],
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Movement]:
    """Return how far each layer moved from file to file, moving statistics included.

    Args:
        paths: the files, oldest first; at least two.
        progress: called with the files done and the files in all.
        cancelled: asked often; when it returns true, `Cancelled` is raised.

    Raises:
        WeightFileError: a file cannot be read.
    """
    columns = []
    origins: dict[str, str] = {}
    for number, (before, after) in enumerate(pairwise(paths), 1):
        found = diff(before, after, cancelled=cancelled)
        columns.append({origins.get(k, k): v for k, v in _by_layer(found).items()})
        # Automatic names may differ from file to file; the first file's stand for all.
        origins = {row.b.layer: origins.get(row.a.layer, row.a.layer) for row in found.common}
        if progress is not None:
            progress(number, len(paths))
    whole = _by_layer(diff(paths[0], paths[-1], cancelled=cancelled))
    if progress is not None:
        progress(len(paths), len(paths))
    return [
        Movement(layer, [column.get(layer, math.nan) for column in columns], total)
        for layer, total in whole.items()
    ]


def _by_layer(found: TableDifference) -> dict[str, float]:
    sums: dict[str, tuple[float, float]] = {}
    for row in found.common:
        change, before = sums.get(row.a.layer, (0.0, 0.0))
        sums[row.a.layer] = (change + row.norm**2, before + row.norm_a**2)
    return {
        layer: _ratio(math.sqrt(change), math.sqrt(before))
        for layer, (change, before) in sums.items()
    }
