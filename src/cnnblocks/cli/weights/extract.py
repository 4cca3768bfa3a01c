"""`cnnblocks weights extract`: tensors of a weight file as NumPy, CSV or text files."""

from pathlib import Path

import click

from cnnblocks.cli.weights.output import force_option, in_a_directory, refuse_existing
from cnnblocks.cli.weights.view import chosen, optimizer_option


@click.command(
    short_help="Write tensors to a NumPy, CSV or text file.",
    epilog="Example: cnnblocks weights extract model.h5 'conv2d*' -o conv.npz",
)
@click.argument("file")
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_directory,
    help="The file to write: .npz, .npy, .csv or .txt.",
)
@force_option
@optimizer_option
def extract(
    file: str, patterns: tuple[str, ...], output: Path, force: bool, optimizer: bool
) -> None:
    """Write tensors of FILE to a NumPy, CSV or text file.

    Each PATTERN is matched with paths, names, layers and roles; without one, all tensors but the
    optimizer's are written. A .npy or .csv file holds one tensor.
    """
    from cnnblocks import weights

    refuse_existing(output, force)
    with weights.open(file) as table:
        tensors = chosen(table.tensors, patterns, optimizer)
        weights.extract(tensors, output)
    click.echo(f"{len(tensors):,} tensors written to {output}", err=True)
