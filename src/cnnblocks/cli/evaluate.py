"""`cnnblocks evaluate`: how well a model does."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnblocks.cli.options import (
    RUN_HELP,
    backend_option,
    device_option,
    hint_options,
    json_option,
    print_json,
    read_hints,
    runs_dir_option,
    start_keras,
)

if TYPE_CHECKING:
    from cnnblocks.training.evaluation import Evaluation

_MOST_COLUMNS = 20


@click.command(
    short_help="Measure a model on images whose classes are known.",
    epilog="Example: cnnblocks evaluate last --split validation",
    help="Show a model images whose classes are known: accuracy, loss, precision and recall of "
    "every class, confusion matrix, worst mistakes.\n\nMODEL is a run or a model file. "
    f"{RUN_HELP} The result of a run is also written to its evaluation directory.",
)
@click.argument("model", metavar="MODEL")
@click.option("--data", help="The images.  [default: those of the run]")
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Which of the images.",
)
@click.option("--weights", help="best, last, or an epoch such as epoch-0003.  [default: the kept]")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="A directory to write figures and pictures to.",
)
@hint_options
@device_option
@backend_option
@runs_dir_option
@json_option
def evaluate(
    model: str,
    data: str | None,
    split: str,
    weights: str | None,
    output: Path | None,
    device: str,
    backend: str | None,
    runs_dir: Path | None,
    as_json: bool,
    **hints: Any,
) -> None:
    start_keras(backend, device)
    from cnnblocks.cli.progress import progress_bar
    from cnnblocks.training.evaluation import evaluate as evaluate_model

    with progress_bar("evaluating") as progress:
        found = evaluate_model(
            model,
            data,
            split=split,
            weights=weights,
            output=output,
            runs_dir=runs_dir,
            hints=read_hints(**hints),
            progress=progress,
        )
    if as_json:
        print_json(found.to_json())
    else:
        _print(found)


def _print(found: "Evaluation") -> None:
    which = f" ({found.weights}, epoch {found.epoch})" if found.weights else ""
    click.echo(f"{found.model}{which} on {found.images:,} {found.split} images of {found.data}")
    for name, value in found.metrics.items():
        click.echo(f"  {name.replace('_', ' '):<15}{value:.4f}")
    _print_classes(found)
    _print_confusion(found)


def _print_classes(found: "Evaluation") -> None:
    width = max(len("class"), *map(len, found.class_names))
    click.echo(f"\n  {'class':<{width}}  precision  recall      f1  images")
    for score in found.per_class:
        click.echo(
            f"  {score.name:<{width}}  {score.precision:9.4f}  {score.recall:6.4f}"
            f"  {score.f1:6.4f}  {score.images:6,}"
        )


def _print_confusion(found: "Evaluation") -> None:
    names = found.class_names
    if len(names) > _MOST_COLUMNS:
        click.echo(f"\nThe confusion matrix of {len(names)} classes is in the files; see -o.")
        return
    cells = [[str(count or ".") for count in row] for row in found.confusion]
    width = max(len(cell) for row in [*cells, names] for cell in row)
    click.echo("\n  rows: what it is; columns: what it was taken for")
    click.echo("  " + " " * width + "".join(f" {name:>{width}}" for name in names))
    for name, row in zip(names, cells, strict=True):
        click.echo(f"  {name:>{width}}" + "".join(f" {cell:>{width}}" for cell in row))
