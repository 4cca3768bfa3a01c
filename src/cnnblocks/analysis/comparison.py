"""Several runs beside each other: what they cost, what they reached, how they differ."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

from cnnblocks.analysis.curves import COLORS, MARKERS, save
from cnnblocks.analysis.errors import AnalysisError
from cnnblocks.runs import SCHEMA, RunDirectory, RunError, read_json

# What differs between any two runs, or follows from what differs.
_UNTOLD = (
    "schema",
    "id",
    "created",
    "epochs",
    "data.fingerprint",
    "data.notes",
    "tuning.why",
    "versions.",
)

_COLUMNS = (
    ("run", "run"),
    ("network", "network"),
    ("parameters", "parameters"),
    ("multiply_adds", "multiply-adds"),
    ("accuracy", "accuracy"),
    ("loss", "loss"),
    ("epochs", "epochs"),
    ("epoch_seconds", "s/epoch"),
    ("seconds", "s in all"),
    ("images_per_second", "images/s"),
)


@dataclass(frozen=True)
class ComparedRun:
    """The figures of one run.

    Attributes:
        run: Its id.
        network: Its network.
        state: Its state.
        measured_on: Where accuracy and loss come from: `"test"`, `"validation"` or `"training"`;
            empty before the first epoch.
        parameters: Of the network; `None` for a network that is not registered here.
        multiply_adds: Of the network for one image; `None` likewise.
        accuracy: Of the weights that were kept.
        loss: Of the weights that were kept.
        epochs: Epochs completed.
        epoch_seconds: The median duration of an epoch, validation included.
        seconds: The duration of all epochs.
        images_per_second: The median training speed.
        history: A row for every epoch.
    """

    run: str
    network: str
    state: str
    measured_on: str
    parameters: int | None
    multiply_adds: int | None
    accuracy: float | None
    loss: float | None
    epochs: int
    epoch_seconds: float | None
    seconds: float | None
    images_per_second: float | None
    history: list[dict[str, float]]

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object, without the history."""
        values = {name: value for name, value in vars(self).items() if name != "history"}
        return {"schema": SCHEMA, **values}


@dataclass(frozen=True)
class Comparison:
    """Several runs beside each other.

    Attributes:
        rows: The figures of each run, in the order asked for.
        differences: From a setting, such as `recipe.epochs`, to its value in each run, for the
            settings that are not the same in all; `None` where a run has no such setting.
    """

    rows: list[ComparedRun]
    differences: dict[str, list[Any]]

    def to_json(self) -> dict[str, Any]:
        """The comparison as a JSON object."""
        return {
            "schema": SCHEMA,
            "runs": [row.to_json() for row in self.rows],
            "differences": self.differences,
        }

    def to_csv(self) -> str:
        """A line for every run, figures in full."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([name for name, _ in _COLUMNS])
        writer.writerows([getattr(row, name) for name, _ in _COLUMNS] for row in self.rows)
        return text.getvalue()

    def to_markdown(self) -> str:
        """Two tables: the figures, and what differs between the configurations."""
        figures = _markdown([title for _, title in _COLUMNS], self._cells())
        differing = self._difference_cells()
        if not differing:
            return figures
        return f"{figures}\n{_markdown(['setting', *(row.run for row in self.rows)], differing)}"

    def to_text(self) -> str:
        """The same two tables, aligned."""
        figures = _aligned([title for _, title in _COLUMNS], self._cells(), left=2)
        notes = {row.measured_on for row in self.rows} - {""}
        measured = f"accuracy and loss on {' or '.join(sorted(notes))} images\n" if notes else ""
        differing = self._difference_cells()
        if not differing:
            return figures + measured
        titles = ["differs", *(row.run for row in self.rows)]
        return f"{figures}{measured}\n{_aligned(titles, differing, left=len(titles))}"

    def plot(self, path: str | os.PathLike | None = None) -> Any:
        """Draw accuracy against training time, epoch by epoch.

        Args:
            path: A `.svg`, `.png` or `.pdf` file to write; `None` for none.

        Returns:
            The `matplotlib.figure.Figure`.

        Raises:
            AnalysisError: No run has completed an epoch, or the file cannot be written.
        """
        from matplotlib.figure import Figure

        if not any(row.history for row in self.rows):
            raise AnalysisError("There is nothing to draw: no run completed an epoch yet.")
        figure = Figure(figsize=(7.5, 5), layout="constrained", dpi=110)
        axes = figure.subplots()
        names = [row.network for row in self.rows]
        for number, row in enumerate(self.rows):
            _draw(axes, row, number, row.network if names.count(row.network) == 1 else row.run)
        axes.set(xlabel="seconds of training", ylabel="accuracy")
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        if any(row.measured_on == "test" for row in self.rows):
            axes.plot([], [], "*", markersize=9, color="grey", label="test images")
        axes.legend(fontsize=8)
        if path is not None:
            save(figure, Path(path))
        return figure

    def _cells(self) -> list[list[str]]:
        return [[_cell(name, getattr(row, name)) for name, _ in _COLUMNS] for row in self.rows]

    def _difference_cells(self) -> list[list[str]]:
        return [
            [name, *("-" if value is None else str(value) for value in values)]
            for name, values in self.differences.items()
        ]


def compare(runs: Sequence[RunDirectory]) -> Comparison:
    """Put runs beside each other.

    Needs Keras, to count the networks' parameters and multiply-adds.

    Args:
        runs: The runs, in any state.

    Raises:
        RunError: A run cannot be read.

    Example:

        >>> print(compare(list_runs()).to_text())  # doctest: +SKIP
    """
    return Comparison([_row(run) for run in runs], differences([run.config for run in runs]))


def differences(configs: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """What is not the same in all configurations.

    Args:
        configs: Configurations of runs, as `config.json` holds them.

    Returns:
        From a setting's name, such as `recipe.epochs`, to its value in each.

    Example:

        >>> differences([{"seed": 1, "epochs": 5}, {"seed": 2, "epochs": 5}])
        {'seed': [1, 2]}
    """
    flat = [_flatten(config) for config in configs]
    names = dict.fromkeys(name for config in flat for name in config)
    told = [name for name in names if not name.startswith(_UNTOLD)]
    values = {name: [config.get(name) for config in flat] for name in told}
    return {name: row for name, row in values.items() if any(value != row[0] for value in row)}


def _flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict) and value:
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _row(run: RunDirectory) -> ComparedRun:
    history = run.history
    measured_on, accuracy, loss = _result(run, history)
    parameters, multiply_adds = _size(run.config)
    seconds = [row["seconds"] for row in history if "seconds" in row]
    speeds = [row["images_per_second"] for row in history if "images_per_second" in row]
    return ComparedRun(
        run=run.id,
        network=run.config["network"],
        state=run.state,
        measured_on=measured_on,
        parameters=parameters,
        multiply_adds=multiply_adds,
        accuracy=accuracy,
        loss=loss,
        epochs=len(history),
        epoch_seconds=median(seconds) if seconds else None,
        seconds=sum(seconds) if seconds else None,
        images_per_second=median(speeds) if speeds else None,
        history=history,
    )


def _result(
    run: RunDirectory, history: list[dict[str, float]]
) -> tuple[str, float | None, float | None]:
    """The kept weights' accuracy and loss: on the test images if they were shown them."""
    status, data = run.status, run.config["data"]["name"]
    try:
        tested = read_json(run.path / "evaluation" / f"{data}-{status.weights}.json")["metrics"]
        return "test", tested["accuracy"], tested["loss"]
    except (RunError, KeyError):
        pass
    if not history:
        return "", None, None
    best = status.best["epoch"] if status.best else history[-1]["epoch"]
    row = next((row for row in history if row["epoch"] == best), history[-1])
    if "val_accuracy" in row:
        return "validation", row["val_accuracy"], row.get("val_loss")
    return "training", row.get("accuracy"), row.get("loss")


def _size(config: dict[str, Any]) -> tuple[int | None, int | None]:
    from cnnblocks import networks
    from cnnblocks.analysis.summary import summarize

    try:
        outline = networks.outline(
            config["network"],
            input_shape=tuple(config["input_shape"]),
            num_classes=len(config["data"]["class_names"]),
            data_format="channels_last",
            **config["recipe"]["network_args"],
        )
    except networks.NetworkError:
        return None, None
    totals = summarize(outline).totals
    return totals.parameters, totals.multiply_adds


def _draw(axes: Any, row: ComparedRun, number: int, label: str) -> None:
    name = "val_accuracy" if any("val_accuracy" in epoch for epoch in row.history) else "accuracy"
    color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
    times = list(accumulate(epoch.get("seconds", 0.0) for epoch in row.history))
    values = [epoch.get(name) for epoch in row.history]
    axes.plot(times, values, color=color, marker=marker, markersize=4, label=label)
    if row.measured_on == "test" and times:
        axes.plot(times[-1], row.accuracy, color=color, marker="*", markersize=13)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name in ("accuracy", "loss"):
        return f"{value:.4f}"
    if name == "epoch_seconds":
        return f"{value:,.2f}"
    if name in ("seconds", "images_per_second"):
        return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _markdown(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _aligned(titles: list[str], rows: list[list[str]], left: int) -> str:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    lines = []
    for cells in (titles, *rows):
        aligned = (
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        lines.append("  ".join(aligned).rstrip() + "\n")
    return "".join(lines)
