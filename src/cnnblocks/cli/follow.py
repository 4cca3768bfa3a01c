"""`cnnblocks follow`: watch a run."""

import sys
from pathlib import Path

import click

from cnnblocks.cli.options import RUN_HELP, is_terminal, run_argument, runs_dir_option


@click.command(
    short_help="Watch a run; Ctrl+C leaves it alone.",
    epilog="Example: cnnblocks follow last",
    help=f"Watch a run until it ends; Ctrl+C leaves the run alone.\n\n{RUN_HELP} Ends with status "
    "1 when the run failed or its process is gone.",
)
@run_argument
@runs_dir_option
def follow(run: str, runs_dir: Path | None) -> None:
    from cnnblocks.cli.run_view import conclude, watch
    from cnnblocks.runs import RunDirectory

    found = RunDirectory.open(run, runs_dir)
    try:
        watch(found, live=is_terminal())
    except KeyboardInterrupt:
        click.echo(f"\n{found.id} goes on. Stop it with: cnnblocks stop {found.id}", err=True)
        return
    if conclude(found) in ("failed", "interrupted"):
        sys.exit(1)
