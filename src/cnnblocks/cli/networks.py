"""`cnnblocks networks`: the networks there are, and the story of each."""

from typing import TYPE_CHECKING

import click

from cnnblocks.cli.options import json_option, print_json

if TYPE_CHECKING:
    from cnnblocks.networks import NetworkSpec


@click.command(
    short_help="List the networks, or tell the story of one.",
    epilog="Examples: cnnblocks networks 'vgg*' | cnnblocks networks resnet18 | "
    "cnnblocks networks --json",
)
@click.argument("pattern", default="*")
@json_option
def networks(pattern: str, as_json: bool) -> None:
    """List the networks whose names match PATTERN, or tell the story of one.

    PATTERN takes shell-style wildcards, quoted.
    """
    from cnnblocks.backend import import_keras

    import_keras()
    from cnnblocks.networks import get, list_networks

    found = list_networks(pattern)
    if not found:
        found = [get(pattern).name]
    specs = [get(name) for name in found]
    if as_json:
        print_json({"networks": [_facts(spec) for spec in specs]})
    elif found == [pattern]:
        _print_story(specs[0])
    else:
        _print_list(specs)


def _facts(spec: "NetworkSpec") -> dict:
    return {**spec.to_json(), "min_size": spec.min_size()}


def _print_list(specs: list["NetworkSpec"]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console.width = 1000
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("name", "family", "year", "native input"):
        table.add_column(title, no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    table.add_column("paper", no_wrap=True, overflow="ellipsis")
    for spec in specs:
        table.add_row(
            spec.name,
            spec.family,
            str(spec.paper.year),
            _times(spec.native_input_shape),
            f"{spec.parameters:,}",
            spec.paper.title,
        )
    console.print(table)


def _print_story(spec: "NetworkSpec") -> None:
    import textwrap

    low, high = spec.input_range
    arguments = ", ".join(f"{name}={value!r}" for name, value in spec.arguments.items())
    paper = f"{spec.paper.title}. {spec.paper.authors}, {spec.paper.year}. {spec.paper.url}"
    facts = {
        "family": spec.family,
        "paper": paper,
        "first trained on": spec.trained_on,
        "native input": f"{_times(spec.native_input_shape)}, pixels from {low:g} to {high:g}",
        "smallest input": _times((spec.min_size(),) * 2),
        "parameters": f"{spec.parameters:,} with 10 classes",
        "arguments": arguments,
    }
    click.echo(f"{spec.name}\n\n{textwrap.fill(spec.idea, 79)}\n")
    for title, text in facts.items():
        indent = " " * 18
        click.echo(textwrap.fill(f"{title:18}{text}", 79, subsequent_indent=indent))
    click.echo(f"\nIts layers: cnnblocks summary {spec.name}")
    click.echo(f"Train it:   cnnblocks train {spec.name} --data digits")


def _times(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
