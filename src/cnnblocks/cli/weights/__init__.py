"""The commands `cnnblocks weights ...`."""

import click

from cnnblocks.cli.lazy_group import LazyGroup

_COMMANDS = ("show", "stats", "diff", "identify", "check", "convert", "extract", "slice")


@click.group(
    cls=LazyGroup,
    short_help="Look into weight files, compare and load them.",
    lazy_commands={name: f"cnnblocks.cli.weights.{name}:{name}" for name in _COMMANDS},
)
def weights() -> None:
    """Look into weight files of any age and format, compare them, load them safely."""
