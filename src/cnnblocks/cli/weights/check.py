"""`cnnblocks weights check`: what would load into a network, without loading."""

import sys
from typing import Any

import click

from cnnblocks.cli.options import json_option, print_json
from cnnblocks.cli.weights.target import target_arguments, target_options


@click.command(
    short_help="Say what would load into a network.",
    epilog="Example: cnnblocks weights check old.h5 --network resnet18",
)
@click.argument("file", metavar="FILE")
@target_options
@json_option
def check(
    file: str,
    network: str,
    num_classes: int | None,
    input_shape: tuple[int, int, int] | None,
    network_args: dict[str, Any],
    match: str,
    backend: str | None,
    as_json: bool,
) -> None:
    """Say which weights of FILE would go where in a network, without loading them.

    Classes, input shape and width are taken from the file's shapes unless given. Exit status: 0 if
    the file fits exactly, 1 if it does not or in more than one way, 2 on trouble.
    """
    from cnnblocks import weights
    from cnnblocks.backend import import_keras

    with weights.open(file) as table:
        import_keras(backend)
        from cnnblocks import networks

        arguments = target_arguments(table, network, num_classes, input_shape, network_args)
        shapes = networks.outline(network, **{"data_format": "channels_last", **arguments})
        structure = weights.model_structure(shapes)
        report = weights.plan(table, structure, network, match).report
    if as_json:
        print_json({**report.to_json(), "arguments": arguments})
    else:
        click.echo(f"{network} with {_told(arguments)}")
        click.echo(str(report))
    sys.exit(0 if report.complete else 1)


def _told(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items()) or "its defaults"
