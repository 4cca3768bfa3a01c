"""Learning curves: accuracy and loss over the epochs, of training and validation."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnblocks.analysis.errors import AnalysisError
from cnnblocks.runs import RunDirectory, replacing

# Okabe and Ito's colours, which people with any colour vision tell apart, darkest contrast first.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FORMATS = (".svg", ".png", ".pdf")

_PANELS = (("accuracy", "Accuracy"), ("loss", "Loss"))


def plot_curves(
    runs: Sequence[RunDirectory], path: str | os.PathLike | None = None, title: str = ""
) -> Any:
    """Draw training and validation accuracy and loss side by side.

    One run has a colour for training and one for validation. Several runs have a colour and a
    marker each, dashed for training and solid for validation, so that no two curves are told apart
    by colour alone.

    Args:
        runs: The runs.
        path: A `.svg`, `.png` or `.pdf` file to write; `None` for none.
        title: A line above the picture.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        AnalysisError: No run has completed an epoch, the suffix is unknown, or the file cannot be
            written.

    Example:

        >>> plot_curves([RunDirectory.open("last")], "curves.svg")  # doctest: +SKIP
    """
    from matplotlib.figure import Figure

    drawn = [(run, history) for run in runs if (history := run.history)]
    if not drawn:
        names = ", ".join(run.id for run in runs)
        raise AnalysisError(f"There is nothing to draw: {names} completed no epoch yet.")
    figure = Figure(figsize=(11, 4.2), layout="constrained", dpi=110)
    for axes, (metric, label) in zip(figure.subplots(1, 2), _PANELS, strict=True):
        for number, (run, history) in enumerate(drawn):
            _draw(axes, metric, history, number, run.id if len(drawn) > 1 else "")
        _finish(axes, label)
    if title:
        figure.suptitle(title)
    if path is not None:
        save(figure, Path(path))
    return figure


def _draw(axes: Any, metric: str, history: list[dict[str, float]], number: int, run: str) -> None:
    color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
    for name, kind in ((metric, "training"), (f"val_{metric}", "validation")):
        epochs = [row["epoch"] for row in history if name in row]
        values = [row[name] for row in history if name in row]
        if not values:
            continue
        validation = kind == "validation"
        axes.plot(
            epochs,
            values,
            color=COLORS[1] if validation and not run else color,
            linestyle="-" if validation else "--",
            marker=marker if len(epochs) <= 30 else "",
            markersize=4,
            label=f"{run}, {kind}" if run else kind,
        )


def _finish(axes: Any, label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set(title=label, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize=8)


def save(figure: Any, path: Path) -> None:
    """Write a figure to a file; the suffix says in which format.

    Raises:
        AnalysisError: The suffix is unknown, or the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise AnalysisError(
            f"A picture is written as one of {', '.join(FORMATS)}. Received: {path.name}"
        )
    try:
        with replacing(path) as aside:
            figure.savefig(aside)
    except OSError as error:
        raise AnalysisError(f"Cannot write {path}: {error.strerror or error}") from error
