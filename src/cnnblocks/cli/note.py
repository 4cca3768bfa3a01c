"""`cnnblocks note`: remember something about a run."""

from pathlib import Path

import click

from cnnblocks.cli.options import RUN_HELP, run_argument, runs_dir_option


@click.command(
    short_help="Write a note to a run, or print it.",
    epilog='Example: cnnblocks note last "twice the learning rate"',
    help=f"Write a note to a run, or print the one it has when there is no TEXT.\n\n{RUN_HELP} "
    "An empty TEXT removes the note.",
)
@run_argument
@click.argument("text", required=False)
@runs_dir_option
def note(run: str, text: str | None, runs_dir: Path | None) -> None:
    from cnnblocks.runs import RunDirectory

    found = RunDirectory.open(run, runs_dir)
    if text is None:
        click.echo(found.note)
    else:
        found.note = text
