"""The file that a command writes: options, and what is checked before any work."""

from pathlib import Path

import click

force_option = click.option("--force", is_flag=True, help="Replace the file if it is there.")


def in_a_directory(_context: click.Context, _parameter: click.Parameter, value: Path) -> Path:
    """Refuse a file in a directory that is not there."""
    if not value.parent.is_dir():
        raise click.BadParameter(f"there is no directory {value.parent}.")
    return value


def refuse_existing(output: Path, force: bool) -> None:
    """Refuse a file that is there already, unless it may be replaced."""
    if output.exists() and not force:
        raise click.UsageError(f"'{output}' is there already; give --force to replace it.")
