"""The network that a weight file is meant for: options, and what the file's shapes tell."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from cnnblocks.cli.network_options import input_shape_option, network_arg_option
from cnnblocks.cli.options import backend_option

if TYPE_CHECKING:
    from cnnblocks.weights import WeightTable

_OPTIONS = (
    click.option("--network", required=True, metavar="NAME", help="The network."),
    click.option(
        "--num-classes", type=click.IntRange(1), help="Classes.  [default: as the file has]"
    ),
    input_shape_option,
    network_arg_option,
    click.option(
        "--match",
        type=click.Choice(["auto", "path", "name", "order"]),
        default="auto",
        show_default=True,
        help="The evidence that may decide which weights go where.",
    ),
    backend_option,
)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which network a file is for, and how to match."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def target_arguments(
    table: "WeightTable",
    network: str,
    num_classes: int | None,
    input_shape: tuple[int, int, int] | None,
    network_args: dict[str, Any],
) -> dict[str, Any]:
    """Return arguments for `cnnblocks.create`: those given, the others as the file's shapes tell.

    Args:
        table: the opened file.
        network: the network's name.
        num_classes: as given, or `None`.
        input_shape: as given, or `None`.
        network_args: as given.

    Raises:
        NetworkError: there is no such network.
    """
    from cnnblocks import networks, weights
    from cnnblocks.networks.candidates import candidates

    networks.get(network)
    proposed = candidates(weights.table_structure(table), network)
    fitting = weights.identify(table, proposed)
    chosen = fitting[0].candidate if fitting else proposed[0] if proposed else None
    arguments = {**(chosen.arguments if chosen else {}), **network_args}
    given = {"num_classes": num_classes, "input_shape": input_shape}
    return arguments | {name: value for name, value in given.items() if value is not None}
