"""`cnnblocks resume`: go on training a run."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnblocks.cli.options import RUN_HELP, run_argument, runs_dir_option

if TYPE_CHECKING:
    pass


@click.command(
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
@runs_dir_option
def resume(run: str, epochs: int | None, detach: bool, runs_dir: Path | None) -> None: ...
