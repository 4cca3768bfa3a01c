"""`cnnblocks predict`: what is in images."""

import sys
from collections.abc import Iterator
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
    from cnnblocks.training.prediction import Prediction


@click.command(
    short_help="Tell what is in images.",
    epilog="Example: cnnblocks predict last photo.jpg --top 3",
    help="Tell what is in images.\n\nMODEL is a run or a model file. "
    f"{RUN_HELP} IMAGE is a file, a folder, or - to read names from standard input, one a line. "
    "Ends with status 1 when an image could not be read.",
)
@click.argument("model", metavar="MODEL")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option(
    "--top", type=click.IntRange(min=1), default=5, show_default=True, help="Classes to name."
)
@click.option("--weights", help="best, last, or an epoch such as epoch-0003.  [default: the kept]")
@hint_options
@device_option
@backend_option
@runs_dir_option
@json_option
def predict(
    model: str,
    images: tuple[str, ...],
    top: int,
    weights: str | None,
    device: str,
    backend: str | None,
    runs_dir: Path | None,
    as_json: bool,
    **hints: Any,
) -> None:
    start_keras(backend, device)
    from cnnblocks.training.prediction import predict as predict_images

    found = predict_images(
        model,
        _names(images),
        top=top,
        weights=weights,
        runs_dir=runs_dir,
        hints=read_hints(**hints),
    )
    if as_json:
        predictions = list(found)
        print_json([prediction.to_json() for prediction in predictions])
    else:
        predictions = [_printed(prediction) for prediction in found]
    if any(prediction.problem for prediction in predictions):
        sys.exit(1)


def _names(images: tuple[str, ...]) -> Iterator[str]:
    for image in images:
        if image == "-":
            yield from (line.rstrip("\r\n") for line in sys.stdin if line.strip())
        else:
            yield image


def _printed(prediction: "Prediction") -> "Prediction":
    if prediction.problem:
        click.echo(f"Error: {prediction.problem}", err=True)
    else:
        classes = "  ".join(f"{name} {share:.4f}" for name, share in prediction.classes)
        click.echo(f"{prediction.path}: {classes}")
    return prediction
