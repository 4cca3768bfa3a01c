"""The command `cnnblocks`: one command a file, each a thin call of the library."""

import sys
from typing import NoReturn

import click

from cnnblocks._version import __version__
from cnnblocks.cli.lazy_group import LazyGroup
from cnnblocks.errors import CnnblocksError

_COMMANDS = (
    "train",
    "evaluate",
    "predict",
    "networks",
    "datasets",
    "summary",
    "recipe",
    "runs",
    "follow",
    "stop",
    "resume",
    "rm",
    "note",
    "curves",
    "compare",
    "export",
    "weights",
    "doctor",
)


@click.group(
    cls=LazyGroup,
    lazy_commands={name: f"cnnblocks.cli.{name}:{name}" for name in _COMMANDS},
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: cnnblocks train lenet5 --data digits",
)
@click.version_option(__version__, prog_name="cnnblocks")
def cnnblocks() -> None:
    """Classic convolutional networks: train them, compare them, look inside their weights."""


def main() -> None:
    """Run the command line; a user's mistake, or a file that cannot be read or written,
    ends in one line and exit status 2."""
    try:
        cnnblocks()
    except CnnblocksError as error:
        _fail(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        named = error.filename is not None and error.strerror is not None
        _fail(f"{error.filename}: {error.strerror}" if named else str(error))


def _fail(reason: str) -> NoReturn:
    click.echo(f"Error: {reason}", err=True)
    sys.exit(2)
