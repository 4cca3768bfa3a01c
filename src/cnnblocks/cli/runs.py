"""`cnnblocks runs`: the runs and where they are."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnblocks.cli.options import json_option, print_json, runs_dir_option

if TYPE_CHECKING:
    from cnnblocks.runs import RunSummary


@click.command(
    short_help="List runs: state, epoch, best, speed, time left.",
    epilog="Example: cnnblocks runs --all",
)
@click.option("--all", "everywhere", is_flag=True, help="Add runs started in other directories.")
@runs_dir_option
@json_option
def runs(everywhere: bool, runs_dir: Path | None, as_json: bool) -> None:
    """List runs, oldest first: state, network, data, epoch, best, speed, time left."""
    from cnnblocks.runs import RunLister

    lister = RunLister(runs_dir, everywhere)
    found = lister.poll()
    if as_json:
        print_json([run.to_json() for run in found])
    elif found:
        _print_table(found, everywhere)
    else:
        click.echo(f"No runs in {lister.runs_dir}.", err=True)
        click.echo("Start one with: cnnblocks train lenet5 --data digits", err=True)


def _print_table(found: list["RunSummary"], everywhere: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cnnblocks.cli.texts import STATE_STYLES

    console = Console()
    if not console.is_terminal:
        console.width = 1000
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("run", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for name in ("network", "data"):
        table.add_column(name)
    for name in ("epoch", "best", "img/s", "left"):
        table.add_column(name, justify="right", no_wrap=True)
    notes = any(run.note or run.problem for run in found)
    if notes:
        table.add_column("note")
    for run in found:
        name = str(run.path) if everywhere else run.id
        state = Text(run.state, style=STATE_STYLES[run.state])
        table.add_row(name, state, *_cells(run), *([run.note or run.problem] if notes else []))
    console.print(table)


def _cells(run: "RunSummary") -> list[str]:
    from cnnblocks.cli.texts import duration, number

    speed = run.images_per_second
    return [
        run.network,
        run.data,
        f"{run.epoch}/{run.epochs}",
        number(run.best["value"]) if run.best else "",
        f"{speed:,.0f}" if speed else "",
        duration(run.seconds_left),
    ]
