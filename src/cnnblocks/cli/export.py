"""`cnnblocks export`: hand a trained model to other programs."""

from pathlib import Path
from typing import Any

import click

from cnnblocks.cli.options import (
    RUN_HELP,
    backend_option,
    hint_options,
    read_hints,
    runs_dir_option,
    start_keras,
)


@click.command(
    short_help="Write a trained model in another format.",
    epilog="Example: cnnblocks export last --to onnx -o lenet5.onnx",
    help="Write a trained model in another program's format, with its classes and preprocessing."
    f"\n\nMODEL is a run or a model file. {RUN_HELP}",
)
@click.argument("model", metavar="MODEL")
@click.option(
    "--to",
    required=True,
    type=click.Choice(["savedmodel", "onnx", "litert", "keras", "weights"]),
    help="The format.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="What to write.  [default: the model's name, here]",
)
@click.option("--weights", help="best, last, or an epoch such as epoch-0003.  [default: the kept]")
@click.option("--force", is_flag=True, help="Replace what is there.")
@hint_options
@backend_option
@runs_dir_option
def export(
    model: str,
    to: str,
    output: Path | None,
    weights: str | None,
    force: bool,
    backend: str | None,
    runs_dir: Path | None,
    **hints: Any,
) -> None:
    start_keras(backend, "cpu")
    from cnnblocks.training.export import export as export_model

    path = export_model(
        model,
        to,
        output,
        weights=weights,
        force=force,
        runs_dir=runs_dir,
        hints=read_hints(**hints),
    )
    click.echo(f"Wrote {path}.")
