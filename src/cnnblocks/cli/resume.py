"""`cnnblocks resume`: go on training a run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnblocks.cli.options import RUN_HELP, cluster_options, meet, run_argument, runs_dir_option

if TYPE_CHECKING:
    from cnnblocks.training.run import Run


@click.command(
    short_help="Go on with a run exactly where it was.",
    epilog="Example: cnnblocks resume last --epochs 5 --detach",
    help="Go on training a run from its last checkpoint, exactly as if it had never stopped.\n\n"
    f"{RUN_HELP}",
)
@run_argument
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    metavar="MORE",
    help="Train this many epochs more than were planned.",
)
@click.option("--detach", is_flag=True, help="Train in the background.")
@cluster_options
@runs_dir_option
def resume(
    run: str, epochs: int | None, detach: bool, runs_dir: Path | None, **cluster: Any
) -> None:
    from cnnblocks.training.lifecycle import extend
    from cnnblocks.training.run import Run

    found = Run.open(run, runs_dir)
    meet(cluster | {"detach": detach}, found.config["backend"], found.config["device"])
    if detach:
        extend(found, epochs or 0)
        found.launch()
        click.echo(f"{found.id} goes on. Watch it with: cnnblocks follow {found.id}")
    else:
        _resume_here(found, epochs or 0)


def _resume_here(run: "Run", epochs: int) -> None:
    from cnnblocks.cli.run_view import conclude, exit_status, foreground
    from cnnblocks.training.distribution import leads
    from cnnblocks.training.shards import dedicate_process

    dedicate_process()
    if not leads():
        run.resume(epochs)
        return
    with foreground(run) as observer:
        run.resume(epochs, observer)
    conclude(run)
    sys.exit(exit_status(run))
