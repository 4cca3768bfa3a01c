"""`cnnblocks weights slice`: some values of one tensor."""

import sys
from typing import TYPE_CHECKING

import click

from cnnblocks.cli.options import json_option, print_json

if TYPE_CHECKING:
    import numpy as np

    from cnnblocks.weights import Tensor

_SUMMARIZED_ABOVE = 1000


@click.command(
    "slice",
    short_help="Print a slice of a tensor.",
    context_settings={"ignore_unknown_options": True},
    epilog="Example: cnnblocks weights slice model.h5 conv2d/kernel:0 '[:, :, 0, 3]'",
)
@click.argument("file")
@click.argument("name")
@click.argument("expression", metavar="[SLICE]", default="[...]")
@click.option("--full", is_flag=True, help="Print all values, however many.")
@json_option
def slice(file: str, name: str, expression: str, full: bool, as_json: bool) -> None:
    """Print a slice of the tensor NAME of FILE.

    NAME is a path, a name, or a pattern that only one tensor matches. SLICE is as NumPy writes it,
    in quotes: '[:, :, 0, 3]', '[..., ::2]', '[-1]'. Only what it picks is read.
    """
    from cnnblocks import weights
    from cnnblocks.weights.selection import select_one

    with weights.open(file) as table:
        tensor = select_one(table.tensors, name)
        values = tensor.read_slice(expression)
        if as_json:
            _print_json(tensor, expression, values)
        else:
            _print(tensor, values, full)


def _print_json(tensor: "Tensor", expression: str, values: "np.ndarray") -> None:
    from cnnblocks.weights.table import json_safe

    print_json(
        {
            "tensor": tensor.to_json(),
            "slice": expression,
            "shape": list(values.shape),
            "values": json_safe(values.tolist()),
        }
    )


def _print(tensor: "Tensor", values: "np.ndarray", full: bool) -> None:
    import numpy as np

    axes = tensor.axes or tuple(str(axis) for axis in range(len(tensor.shape)))
    sizes = ", ".join(f"{axis} {size}" for axis, size in zip(axes, tensor.shape))
    click.echo(f"{tensor.name}  {tensor.dtype}  ({sizes})", err=True)
    threshold = sys.maxsize if full else _SUMMARIZED_ABOVE
    click.echo(np.array2string(values, threshold=threshold))
