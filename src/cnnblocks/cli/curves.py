"""`cnnblocks curves`: accuracy and loss over the epochs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnblocks.cli.options import RUN_HELP, runs_dir_option

if TYPE_CHECKING:
    from cnnblocks.runs import RunDirectory


@click.command(
    short_help="Draw accuracy and loss of runs.",
    epilog="Example: cnnblocks curves last -o curves.svg",
    help="Draw training and validation accuracy and loss, of one run or of several overlaid: in "
    f"the terminal, or to a picture.\n\n{RUN_HELP}",
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A .svg, .png or .pdf file.",
)
@runs_dir_option
def curves(runs: tuple[str, ...], output: Path | None, runs_dir: Path | None) -> None:
    from cnnblocks.runs import RunDirectory

    found = [RunDirectory.open(run, runs_dir) for run in runs]
    if output is None:
        _draw_here(found)
        return
    from cnnblocks.analysis import plot_curves

    plot_curves(found, output)
    click.echo(f"Wrote {output}.")


def _draw_here(runs: list["RunDirectory"]) -> None:
    from shutil import get_terminal_size

    from cnnblocks.cli.chart import curves as chart
    from cnnblocks.runs import RunError

    width = min(100, get_terminal_size().columns - 16)
    drawn = 0
    for metric in ("accuracy", "loss"):
        series = _of_one(runs[0], metric) if len(runs) == 1 else _of_many(runs, metric)
        if series:
            click.echo(("\n" if drawn else "") + metric)
            click.echo(chart(series, width=max(20, width)))
            drawn += 1
    if not drawn:
        names = ", ".join(run.id for run in runs)
        raise RunError(f"There is nothing to draw: {names} completed no epoch yet.")


def _of_one(run: "RunDirectory", metric: str) -> dict[str, list[float]]:
    series = {"training": metric, "validation": f"val_{metric}"}
    history = run.history
    values = {name: [row[key] for row in history if key in row] for name, key in series.items()}
    return {name: points for name, points in values.items() if points}


def _of_many(runs: list["RunDirectory"], metric: str) -> dict[str, list[float]]:
    """Validation's curve of each run, or training's where nothing was validated."""
    curves = {run.id: _of_one(run, metric) for run in runs}
    return {
        name: points.get("validation") or points["training"]
        for name, points in curves.items()
        if points
    }
