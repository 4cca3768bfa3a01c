"""The history of a run: a CSV file with a row for every completed epoch."""

import csv
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from cnnblocks.runs.files import write_text

_FIRST = ("epoch", "seconds", "images_per_second", "learning_rate")


def read_history(path: str | os.PathLike) -> list[dict[str, float]]:
    """The rows of a `history.csv`, oldest first, with numbers for values; empty when missing.

    A field that is empty (a metric that was not measured in that epoch) or no number is left out of
    its row, and a row without an epoch is left out, so a half-written copy reads too.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    rows = [_numbers(row) for row in csv.DictReader(io.StringIO(text))]
    return [row for row in rows if "epoch" in row]


def record_epoch(path: str | os.PathLike, row: dict[str, Any]) -> None:
    """Add an epoch to a `history.csv`, replacing that epoch and later ones if they are there.

    Args:
        path: The file, replaced as a whole.
        row: `epoch` (from 1), `seconds`, `images_per_second`, `learning_rate` and the metrics.
    """
    earlier = [old for old in read_history(path) if old["epoch"] < row["epoch"]]
    _write(path, [*earlier, row])


def forget_epochs(path: str | os.PathLike, after: int) -> None:
    """Drop the rows after epoch `after`, when training goes back to an earlier checkpoint."""
    rows = read_history(path)
    kept = [row for row in rows if row["epoch"] <= after]
    if len(kept) < len(rows):
        _write(path, kept)


def _write(path: str | os.PathLike, rows: list[dict[str, Any]]) -> None:
    names = dict.fromkeys(_FIRST) | dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _numbers(row: dict[str | None, Any]) -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for name, value in row.items():
        with suppress(TypeError, ValueError):
            numbers[str(name)] = int(value) if name == "epoch" else float(value)
    return numbers
