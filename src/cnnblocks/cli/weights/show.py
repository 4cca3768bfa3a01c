"""`cnnblocks weights show`: what is in a weight file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnblocks.cli.options import json_option, print_json
from cnnblocks.cli.weights.view import (
    FILES_HELP,
    chosen,
    console,
    optimizer_option,
    pattern_option,
    shape,
    size,
)

if TYPE_CHECKING:
    from rich.tree import Tree

    from cnnblocks.weights import Tensor, WeightTable


@click.command(
    short_help="Show the tensors of weight files.",
    help=f"Show the tensors of weight files: names, layers, roles, shapes, dtypes.\n\n{FILES_HELP} "
    "No values are read. Several files come as a list, one line each.",
    epilog="Example: cnnblocks weights show model.h5 --pattern '*kernel*'",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--table", "as_table", is_flag=True, help="A table in place of a tree.")
@click.option("--depth", type=click.IntRange(1), help="Levels of the tree to open.")
@pattern_option
@optimizer_option
@json_option
def show(
    files: tuple[str, ...],
    as_table: bool,
    depth: int | None,
    patterns: tuple[str, ...],
    optimizer: bool,
    as_json: bool,
) -> None:
    from cnnblocks import weights
    from cnnblocks.weights.selection import expand, select

    paths = expand(files)
    if len(paths) > 1:
        _list(paths, as_json)
        return
    with weights.open(paths[0]) as table:
        if as_json:
            found = table.to_json()
            kept = {tensor.path for tensor in select(table.tensors, patterns)}
            found["tensors"] = [row for row in found["tensors"] if row["path"] in kept]
            print_json(found)
            return
        tensors = chosen(table.tensors, patterns, optimizer)
        if as_table:
            _print_table(tensors)
        else:
            console().print(_tree(table, tensors, depth))
        _print_summary(table)


def _list(paths: list[Path], as_json: bool) -> None:
    from cnnblocks import weights

    rows: list[dict[str, Any]] = []
    for path in paths:
        with weights.open(path) as table:
            found = table.to_json()
            rows.append({key: found[key] for key in ("path", "format", "totals", "optimizer")})
    if as_json:
        print_json({"files": rows})
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("file", "format"):
        view.add_column(name)
    for name in ("tensors", "parameters", "size", "optimizer"):
        view.add_column(name, justify="right")
    for row in rows:
        totals, state = row["totals"], row["optimizer"]
        view.add_row(
            Text(row["path"]),
            row["format"],
            f"{totals['tensors']:,}",
            f"{totals['parameters']:,}",
            size(totals["bytes"]),
            size(state["bytes"]) if state["tensors"] else "",
        )
    console().print(view)


def _tree(table: "WeightTable", tensors: list["Tensor"], depth: int | None) -> "Tree":
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(Text(f"{table.path}  {table.format}", style="bold"), guide_style="dim")
    branches: dict[str, Any] = {"": root}

    def branch(layer: str) -> Any:
        if layer not in branches:
            parent, _, name = layer.rpartition("/")
            branches[layer] = branch(parent).add(Text(name, style="cyan"))
        return branches[layer]

    for tensor in tensors:
        levels = tensor.layer.split("/") if tensor.layer else []
        if depth is None or len(levels) < depth:
            branch(tensor.layer).add(Text.assemble(*_leaf(tensor)))
        else:
            branch("/".join(levels[:depth]))
    return root


def _leaf(tensor: "Tensor") -> list[tuple[str, str] | str]:
    name = tensor.name.rpartition("/")[2] if tensor.role in ("other", "optimizer") else tensor.role
    axes = f"  ({', '.join(tensor.axes)})" if tensor.axes else ""
    return [(name, "green"), f"  {shape(tensor)}", (axes, "dim"), (f"  {tensor.dtype}", "dim")]


def _print_table(tensors: list["Tensor"]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("path", "layer", "role", "shape", "dtype"):
        view.add_column(name)
    view.add_column("size", justify="right")
    view.add_column("trained")
    trained = {True: "yes", False: "no", None: ""}
    for tensor in tensors:
        view.add_row(
            Text(tensor.path),
            Text(tensor.layer),
            tensor.role,
            shape(tensor),
            tensor.dtype,
            size(tensor.bytes),
            trained[tensor.trainable],
        )
    console().print(view)


def _print_summary(table: "WeightTable") -> None:
    totals, state = table.totals, table.optimizer_totals
    click.echo(
        f"{totals.tensors:,} tensors, {totals.parameters:,} parameters, {size(totals.bytes)}"
    )
    if state.tensors:
        click.echo(f"optimizer state: {state.tensors:,} tensors, {size(state.bytes)}")
    version, backend = table.metadata["keras_version"], table.metadata["backend"]
    if version:
        click.echo(f"Keras {version}{f' on {backend}' if backend else ''}")
    if skipped := table.metadata.get("skipped"):
        click.echo(f"left out, no numbers: {', '.join(skipped)}")
