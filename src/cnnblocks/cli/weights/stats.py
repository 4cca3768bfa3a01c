"""`cnnblocks weights stats`: what the values of a weight file are like."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnblocks.cli.options import json_option, print_json
from cnnblocks.cli.weights.view import (
    FILES_HELP,
    chosen,
    console,
    optimizer_option,
    pattern_option,
    progress,
    real,
    shape,
)

if TYPE_CHECKING:
    from cnnblocks.weights import Movement, TensorStatistics


@click.command(
    short_help="Show what the values are like.",
    help="Show what the values of a weight file are like, and what is wrong with them: NaN, dead "
    f"filters, variances at zero.\n\n{FILES_HELP} Of several files, as the checkpoints of a run, "
    "it shows how far each layer moved from one to the next.",
    epilog="Example: cnnblocks weights stats checkpoints/*.weights.h5",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--exact", is_flag=True, help="Exact quantiles of large tensors too, more slowly.")
@click.option("--problems", is_flag=True, help="Only tensors with something wrong.")
@pattern_option
@optimizer_option
@json_option
def stats(
    files: tuple[str, ...],
    exact: bool,
    problems: bool,
    patterns: tuple[str, ...],
    optimizer: bool,
    as_json: bool,
) -> None:
    from cnnblocks import weights
    from cnnblocks.weights.selection import expand

    paths = expand(files)
    if len(paths) > 1:
        _series(paths, as_json)
        return
    with weights.open(paths[0]) as table:
        tensors = chosen(table.tensors, patterns, optimizer)
        with progress("reading") as hook:
            rows = weights.statistics(tensors, exact=exact, progress=hook)
        rows = [row for row in rows if row.problems or not problems]
        if as_json:
            print_json(
                {
                    "path": str(table.path),
                    "format": table.format,
                    "tensors": [row.to_json() for row in rows],
                }
            )
        else:
            _print(rows)


def _print(rows: list["TensorStatistics"]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not rows:
        click.echo("Nothing wrong.", err=True)
        return
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("tensor", "shape"):
        view.add_column(name)
    for name in ("mean", "std", "min", "5 %", "median", "95 %", "max", "zeros", "norm"):
        view.add_column(name, justify="right")
    view.add_column("wrong", style="red")
    for row in rows:
        numbers = (
            row.mean,
            row.std,
            row.min,
            *(row.quantiles[q] for q in (0.05, 0.5, 0.95)),
            row.max,
        )
        view.add_row(
            Text(row.tensor.name),
            shape(row.tensor),
            *map(real, numbers),
            "" if math.isnan(row.zeros) else f"{row.zeros:.1%}",
            real(row.norm),
            ", ".join(row.problems),
        )
    console().print(view)


def _series(paths: list[Path], as_json: bool) -> None:
    from cnnblocks import weights
    from cnnblocks.weights.table import json_safe

    with progress("comparing") as hook:
        rows = weights.movement(paths, progress=hook)
    if as_json:
        print_json(
            {
                "files": [str(path) for path in paths],
                "layers": [
                    json_safe({"layer": row.layer, "steps": row.steps, "total": row.total})
                    for row in rows
                ],
            }
        )
        return
    _print_series(paths, rows)


def _print_series(paths: list[Path], rows: list["Movement"]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    view.add_column("layer")
    for number in range(2, len(paths) + 1):
        view.add_column(str(number), justify="right")
    view.add_column("in all", justify="right")
    for row in rows:
        view.add_row(Text(row.layer), *map(_percent, (*row.steps, row.total)))
    console().print(view)
    click.echo("How far each layer moved: norm of the change over the norm before it.")
    for number, path in enumerate(paths, 1):
        click.echo(f"{number:>4}  {path}")


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{share:.2%}"
