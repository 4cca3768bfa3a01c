"""Options that say which form of a network is meant."""

import ast
from typing import Any

import click

from cnnblocks.cli.options import Shape


def read_arguments(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Values of an option that takes NAME=VALUE, as a dictionary."""
    arguments = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            raise click.BadParameter(f"expected NAME=VALUE, such as width=0.5, not {value!r}.")
        arguments[name] = _literal(text)
    return arguments


def _literal(text: str) -> Any:
    """`text` as Python or TOML would read it: a number, a tuple, true; else the text itself."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


input_shape_option = click.option(
    "--input-shape",
    type=Shape(),
    metavar="HxWxC",
    help="Height, width and channels of one image.  [default: the network's own]",
)

network_arg_option = click.option(
    "--network-arg",
    "network_args",
    multiple=True,
    callback=read_arguments,
    metavar="NAME=VALUE",
    help="An argument of the network, such as width=0.5; may be repeated.",
)
