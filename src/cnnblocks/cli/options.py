"""Options and arguments that several commands share, and how results are printed."""

import json
import sys
from pathlib import Path
from typing import Any

import click

runs_dir_option = click.option(
    "--runs-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="The directory of runs.  [default: $CNNBLOCKS_RUNS_DIR, else ./runs]",
)

run_argument = click.argument("run", metavar="RUN")
"""A run; a command that takes it says what RUN may be, with `RUN_HELP`."""

RUN_HELP = "RUN is a run's id, the beginning of one, its path, or 'last'."

backend_option = click.option(
    "--backend",
    type=click.Choice(["tensorflow", "jax", "torch"]),
    help="Keras' backend.  [default: $KERAS_BACKEND, else Keras' configuration, else the first "
    "installed]",
)

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|gpu|gpu:0,1|all",
    help="Where to compute; 'all' shares every batch among the machine's devices.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(content: Any) -> None:
    """Print JSON to standard output; objects that hold no `schema` get one."""
    if isinstance(content, dict):
        content = {"schema": 1, **content}
    click.echo(json.dumps(content, indent=2))


def is_terminal() -> bool:
    """Whether a person is reading: live displays are for them, plain lines for everything else."""
    return sys.stdout.isatty()
