"""`cnnblocks summary`: what a network or a model file is made of."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnblocks.cli.network_options import input_shape_option, network_arg_option
from cnnblocks.cli.options import backend_option, is_terminal, json_option, print_json

if TYPE_CHECKING:
    from cnnblocks.analysis import LayerTable

_UNLIMITED = 1000


@click.command(
    short_help="Show the layers of a network or a saved model.",
    epilog="Examples: cnnblocks summary resnet18 --input-shape 64x64x3 --depth 0 | "
    "cnnblocks summary lenet5 --explain stage2_conv | cnnblocks summary model.keras --csv",
)
@click.argument("model", metavar="NAME|FILE")
@input_shape_option
@click.option("--num-classes", type=click.IntRange(1), help="Classes of a network.  [default: 10]")
@network_arg_option
@click.option(
    "--batch-size",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Images whose activation memory is counted.",
)
@click.option(
    "--depth",
    type=click.IntRange(0),
    metavar="N",
    help="How far blocks are opened; 0 shows them closed.  [default: all the way]",
)
@click.option("--explain", "layer", metavar="LAYER", help="Show the arithmetic of one layer.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table.")
@json_option
@backend_option
def summary(
    model: str,
    input_shape: tuple[int, int, int] | None,
    num_classes: int | None,
    network_args: dict[str, Any],
    batch_size: int,
    depth: int | None,
    layer: str | None,
    as_csv: bool,
    as_markdown: bool,
    as_json: bool,
    backend: str | None,
) -> None:
    """Show the layers of a network, or of a saved model, and what is inside them.

    NAME is a network (see `cnnblocks networks`), FILE a model saved by Keras: .keras or .h5. Each
    row has kernel and stride, output shape, parameters, multiply-adds for one image, the receptive
    field (the part of the image that one value sees, and the step to its neighbour) and the memory
    of its outputs.
    """
    _check_formats(as_json, as_csv, as_markdown, layer)
    from cnnblocks import analysis
    from cnnblocks.backend import import_keras

    import_keras(backend)
    if Path(model).suffix in (".keras", ".h5", ".hdf5"):
        _refuse_network_options(num_classes, network_args)
        table = analysis.summarize_file(model, batch_size, input_shape)
    else:
        given = {} if num_classes is None else {"num_classes": num_classes}
        table = _table_of_network(model, input_shape, batch_size, {**given, **network_args})
    if layer:
        click.echo(analysis.explain(table, layer))
    elif as_json:
        print_json(table.to_json())
    elif as_csv:
        click.echo(table.to_csv(depth), nl=False)
    elif as_markdown:
        click.echo(table.to_markdown(depth), nl=False)
    else:
        _print_table(table, depth)


def _check_formats(as_json: bool, as_csv: bool, as_markdown: bool, layer: str | None) -> None:
    chosen = [
        name
        for name, given in (
            ("--json", as_json),
            ("--csv", as_csv),
            ("--markdown", as_markdown),
            ("--explain", layer),
        )
        if given
    ]
    if len(chosen) > 1:
        raise click.UsageError(f"Choose one of {', '.join(chosen)}.")


def _refuse_network_options(num_classes: int | None, network_args: dict[str, Any]) -> None:
    if num_classes is not None or network_args:
        raise click.UsageError("--num-classes and --network-arg go with a network, not a file.")


def _table_of_network(
    name: str, input_shape: tuple | None, batch_size: int, arguments: dict[str, Any]
) -> "LayerTable":
    from cnnblocks import analysis, networks

    model = networks.outline(
        name, input_shape=input_shape, data_format="channels_last", **arguments
    )
    return analysis.summarize(model, batch_size=batch_size)


def _print_table(table: "LayerTable", depth: int | None) -> None:
    if not is_terminal():
        click.echo(table.to_text(width=_UNLIMITED, depth=depth))
        return
    from rich.console import Console
    from rich.table import Table

    from cnnblocks.analysis.columns import fitting

    console = Console()
    rows = list(table.walk(depth))
    columns = fitting(rows, console.width)
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(column.title, justify="right" if column.number else "left", no_wrap=True)
    for row in rows:
        cells = [column.cell(row, indent=True) for column in columns]
        grid.add_row(*cells, style="dim" if row.depth else None)
    console.print(grid)
    click.echo(f"\n{table.footer()}")
