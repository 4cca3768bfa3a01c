"""`cnnblocks weights diff`: what differs between two weight files."""

import math
import sys
from typing import TYPE_CHECKING

import click

from cnnblocks.cli.options import json_option, print_json
from cnnblocks.cli.weights.view import console, progress, real, shape

if TYPE_CHECKING:
    from cnnblocks.weights import TableDifference, Tensor, TensorDifference


@click.command(
    short_help="Compare two weight files.",
    epilog="Example: cnnblocks weights diff old.h5 new.weights.h5 --atol 1e-6",
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--rtol", type=click.FloatRange(0), default=0.0, help="Relative tolerance.")
@click.option("--atol", type=click.FloatRange(0), default=0.0, help="Absolute tolerance.")
@click.option("--optimizer", is_flag=True, help="Compare the optimizer's state too.")
@click.option("--all", "show_all", is_flag=True, help="Show equal tensors too.")
@json_option
def diff(
    a: str, b: str, rtol: float, atol: float, optimizer: bool, show_all: bool, as_json: bool
) -> None:
    """Compare two weight files, of the same format or not.

    A value differs if |a - b| > atol + rtol * |b|. Tensors are matched by name, and by structure
    when the formats differ. Exit status: 0 if the files are equal, 1 if they differ, 2 on trouble.
    """
    from cnnblocks import weights

    with progress("comparing") as hook:
        found = weights.diff(a, b, rtol=rtol, atol=atol, optimizer=optimizer, progress=hook)
    if as_json:
        print_json({"a": a, "b": b, "rtol": rtol, "atol": atol, **found.to_json()})
    else:
        _print(found, show_all)
    sys.exit(0 if found.equal else 1)


def _print(found: "TableDifference", show_all: bool) -> None:
    rows = [row for row in found.common if show_all or not row.equal]
    if rows:
        _print_common(rows)
    _print_only("only in A", found.only_a)
    _print_only("only in B", found.only_b)
    equal = sum(row.equal for row in found.common)
    lonely = len(found.only_a) + len(found.only_b)
    click.echo(
        f"{equal:,} equal, {len(found.common) - equal:,} different, {lonely:,} in one file only"
    )


def _print_common(rows: list["TensorDifference"]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("tensor", "shape"):
        view.add_column(name)
    for name in ("different", "largest", "mean", "relative", "cosine"):
        view.add_column(name, justify="right")
    view.add_column("matched by")
    for row in rows:
        numbers = (row.max_abs, row.mean_abs, row.relative, row.cosine)
        view.add_row(
            Text(_name(row)),
            _shapes(row),
            f"{row.different:,}",
            *("" if math.isnan(value) else real(value) for value in numbers),
            row.by,
        )
    console().print(view)


def _name(row: "TensorDifference") -> str:
    return row.a.name if row.a.name == row.b.name else f"{row.a.name} = {row.b.name}"


def _shapes(row: "TensorDifference") -> str:
    return shape(row.a) if row.same_shape else f"{shape(row.a)} -> {shape(row.b)}"


def _print_only(title: str, tensors: list["Tensor"]) -> None:
    for tensor in tensors:
        click.echo(f"{title}: {tensor.name}  {shape(tensor)}")
