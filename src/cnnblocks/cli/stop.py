"""`cnnblocks stop`: end a run so that it can be resumed."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnblocks.cli.options import RUN_HELP, run_argument, runs_dir_option

if TYPE_CHECKING:
    from cnnblocks.runs import RunDirectory


@click.command(
    short_help="Stop a run with a checkpoint.",
    epilog="Example: cnnblocks stop last --after-epoch",
    help="Stop a run with a checkpoint, from which `cnnblocks resume` goes on exactly.\n\n"
    f"{RUN_HELP}",
)
@run_argument
@click.option(
    "--after-epoch/--now",
    default=False,
    help="At the end of the epoch under way, or after the steps in flight.  [default: now]",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for it when stopping now.",
)
@runs_dir_option
def stop(run: str, after_epoch: bool, wait: float, runs_dir: Path | None) -> None:
    from cnnblocks.runs import RunDirectory

    found = RunDirectory.open(run, runs_dir)
    found.ask("stop-after-epoch" if after_epoch else "stop")
    if after_epoch:
        click.echo(f"{found.id} will stop after epoch {found.status.epoch + 1}.")
    else:
        _wait(found, wait)


def _wait(run: "RunDirectory", seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while run.active and time.monotonic() < deadline:
        time.sleep(0.1)
    if run.active:
        click.echo(
            f"{run.id} has not stopped yet; it may be in the middle of a long step. It will stop "
            f"after that. To end it at once, losing what came after the last checkpoint: "
            f"kill {run.status.pid}",
            err=True,
        )
    else:
        click.echo(f"{run.id} {run.state}. Go on with: cnnblocks resume {run.id}")
