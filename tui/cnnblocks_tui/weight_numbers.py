"""What a tensor's values are like, in words and bars; measuring is done in a thread."""

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table as Grid

from cnnblocks import weights
from cnnblocks.weights import Tensor, TensorStatistics, histogram, statistics
from cnnblocks_tui import wording
from cnnblocks_tui.widgets.chart import Series


@dataclass(frozen=True)
class Numbers:
    """A tensor measured.

    Attributes:
        statistics: Mean, deviation, quantiles and the rest.
        counts: The share of the values in each part of their range.
        centers: The middle of each part.
    """

    statistics: TensorStatistics
    counts: np.ndarray
    centers: np.ndarray

    def text(self) -> Grid:
        """Two columns of names and numbers, and a line for what is wrong."""
        s = self.statistics
        page = Grid.grid(padding=(0, 2, 0, 0))
        left = [
            ("mean", wording.number(s.mean)),
            ("std", wording.number(s.std)),
            ("zeros", wording.percent(s.zeros)),
            ("norm", wording.number(s.norm)),
        ]
        right = [
            ("min", wording.number(s.min)),
            ("5 %", wording.number(s.quantiles.get(0.05, math.nan))),
            ("median", wording.number(s.quantiles.get(0.5, math.nan))),
            ("95 %", wording.number(s.quantiles.get(0.95, math.nan))),
            ("max", wording.number(s.max)),
        ]
        left.append(("problems", "; ".join(s.problems) or "none"))
        for (name, value), (other, quantile) in zip(left, right, strict=True):
            page.add_row(f"[dim]{name}[/]", value, f"[dim]{other}[/]", quantile)
        return page


def measure(
    tensor: Tensor, bins: int, cancelled: threading.Event, on_progress: Callable[[float], None]
) -> Numbers:
    """Statistics and histogram of a tensor, read slab by slab twice.

    Args:
        tensor: What is measured.
        bins: Parts of the histogram.
        cancelled: Set by whoever no longer wants the answer.
        on_progress: Called with the share done, some fifty times in all.
    """
    shown = _Steps(on_progress)
    found = statistics(
        tensor,
        progress=lambda done, total: shown(done / 2, total),
        cancelled=cancelled.is_set,
    )
    limits = (found.min, found.max)
    if not math.isfinite(found.min) or not math.isfinite(found.max):
        return Numbers(found, np.zeros(bins), np.zeros(bins))
    if limits[0] == limits[1]:
        limits = (limits[0] - 0.5, limits[1] + 0.5)
    counts, edges = histogram(
        tensor,
        bins,
        limits,
        progress=lambda done, total: shown((total + done) / 2, total),
        cancelled=cancelled.is_set,
    )
    return Numbers(found, counts / max(1, counts.sum()), (edges[:-1] + edges[1:]) / 2)


def measure_table(
    path: Path, cancelled: threading.Event, on_progress: Callable[[float], None]
) -> list[TensorStatistics]:
    """Statistics of every tensor but the optimizer's, through a reader of its own."""
    shown = _Steps(on_progress)
    with weights.open(path) as table:
        return statistics(table, progress=shown, cancelled=cancelled.is_set)


class _Steps:
    """Lets a progress call through at every fiftieth part only."""

    def __init__(self, call: Callable[[float], None]) -> None:
        self._call = call
        self._last = -1

    def __call__(self, done: float, total: float) -> None:
        step = int(50 * done / total) if total else 50
        if step != self._last:
            self._last = step
            self._call(step / 50)


def barred(measured: Iterable[TensorStatistics], quantity: str) -> list[TensorStatistics]:
    """The tensors that get a bar: kernels, or all of them when there are none or for NaN."""
    entries = list(measured)
    kernels = [entry for entry in entries if entry.tensor.role.endswith("kernel")]
    return entries if quantity == "bad" or not kernels else kernels


def bar_value(entry: TensorStatistics, quantity: str) -> float | None:
    """The number that stands for a tensor in the bars; `None` where it has no meaning."""
    if quantity == "norm":
        return entry.norm
    if quantity == "std":
        return entry.std
    if quantity == "dead":
        return None if entry.filters is None else float(len(entry.dead_filters))
    if quantity == "zeros":
        return entry.zeros
    return float(entry.nan + entry.infinite)


def write_tensor(tensor: Tensor, target: Path) -> None:
    """Write a tensor to `.npy`, `.csv` or `.txt`, by the target's suffix.

    Raises:
        ValueError: The suffix is none of these.
        OSError: The file cannot be written.
    """
    if target.suffix == ".npy":
        np.save(target, tensor.read())
    elif target.suffix == ".csv":
        values = tensor.read()
        np.savetxt(target, values.reshape(-1, values.shape[-1] if values.ndim else 1), "%.9g", ",")
    elif target.suffix == ".txt":
        from cnnblocks.weights.formats import text

        text.write(target, [(tensor.name, tensor.read())])
    else:
        raise ValueError(f"Name a .npy, .csv or .txt file. Received: {target.name}")


def histogram_series(
    tensors: Sequence[tuple[Path, Tensor, int]], bins: int, cancelled: threading.Event
) -> list[Series]:
    """Histograms of tensors over one range, as curves named after their files.

    Args:
        tensors: File, tensor and colour.
        bins: Parts of the range.
        cancelled: Set by whoever no longer wants the answer.
    """
    found = [statistics(tensor, cancelled=cancelled.is_set) for _, tensor, _ in tensors]
    low = min((s.min for s in found if math.isfinite(s.min)), default=0.0)
    high = max((s.max for s in found if math.isfinite(s.max)), default=1.0)
    limits = (low, high) if high > low else (low - 0.5, low + 0.5)
    series = []
    for path, tensor, color in tensors:
        counts, edges = histogram(tensor, bins, limits, cancelled=cancelled.is_set)
        share = counts / max(1, counts.sum())
        centers = (edges[:-1] + edges[1:]) / 2
        series.append(Series(path.name.split(".")[0], centers, share, color, dashed=color > 0))
    return series
