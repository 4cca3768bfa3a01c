"""`cnnblocks rm`: delete runs."""

from pathlib import Path

import click

from cnnblocks.cli.options import RUN_HELP, runs_dir_option


@click.command(
    short_help="Delete runs, after asking.",
    epilog="Example: cnnblocks rm 20261122-0512-lenet5-ab12",
    help="Delete runs with all their files, after asking.\n\n"
    f"{RUN_HELP} A run that is being trained is refused.",
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@runs_dir_option
def rm(runs: tuple[str, ...], yes: bool, runs_dir: Path | None) -> None:
    from cnnblocks.runs import RunDirectory

    found = list(dict.fromkeys(RunDirectory.open(run, runs_dir) for run in runs))
    for run in found:
        question = f"Delete {run.path} with its checkpoints and history?"
        if yes or click.confirm(question, err=True):
            run.delete()
            click.echo(f"Deleted {run.id}.")
