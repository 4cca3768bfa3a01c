"""`cnnblocks weights convert`: a weight file of any format as a file of today's."""

import sys
from pathlib import Path
from typing import Any

import click

from cnnblocks.cli.weights.output import force_option, in_a_directory, refuse_existing
from cnnblocks.cli.weights.target import target_arguments, target_options

_ENDINGS = (".weights.h5", ".keras", ".npz", ".txt")


def _output(context: click.Context, parameter: click.Parameter, value: Path) -> Path:
    if not value.name.endswith(_ENDINGS):
        raise click.BadParameter(f"expected a name ending in {', '.join(_ENDINGS)}.")
    return in_a_directory(context, parameter, value)


@click.command(
    short_help="Load a file and save it in another format.",
    epilog="Example: cnnblocks weights convert old.h5 --network vgg16 -o new.weights.h5",
)
@click.argument("file", metavar="FILE")
@target_options
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_output,
    metavar="OUT",
    help="File to write, ending in .weights.h5, .keras, .npz or .txt.",
)
@force_option
@click.option(
    "--partial",
    is_flag=True,
    help="Convert what is certain although not everything fits; the rest stays as initialized.",
)
def convert(
    file: str,
    network: str,
    num_classes: int | None,
    input_shape: tuple[int, int, int] | None,
    network_args: dict[str, Any],
    match: str,
    backend: str | None,
    output: Path,
    force: bool,
    partial: bool,
) -> None:
    """Load FILE into a network and save that in another format.

    Classes, input shape, width and, from a whole model, the output's activation are taken from the
    file unless given. A .keras file holds the network too; if the file does not tell the output's
    activation, say it with --network-arg classifier_activation=None (softmax otherwise). A .txt
    file holds the trainable variables only, as the courses' dumps do. Exit status: 0 if all went
    well, 1 if the file does not fit the network, 2 on trouble.
    """
    from cnnblocks import weights
    from cnnblocks.backend import import_keras
    from cnnblocks.runs import replacing

    refuse_existing(output, force)
    with weights.open(file) as table:
        import_keras(backend)
        from cnnblocks import networks

        arguments = {
            "data_format": "channels_last",
            **_activation(table),
            **target_arguments(table, network, num_classes, input_shape, network_args),
        }
    model = networks.create(network, **arguments)
    try:
        report = weights.load_weights(model, file, strict=not partial, match=match)
    except weights.WeightsMismatchError as error:
        click.echo(str(error.report), err=True)
        sys.exit(1)
    with replacing(output) as path:
        _save(model, path)
    click.echo(str(report), err=True)
    click.echo(str(output))


def _activation(table: Any) -> dict[str, Any]:
    """Return the activation of a whole model's output, if the file has the model."""
    from cnnblocks.weights.model_config import layers_of

    layers = list(layers_of(table.model_config).values())
    activation = layers[-1].config.get("activation") if layers else None
    if not isinstance(activation, str):
        return {}
    return {"classifier_activation": None if activation == "linear" else activation}


def _save(model: Any, path: Path) -> None:
    import numpy as np
    from keras import ops

    from cnnblocks.weights.formats import text

    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    elif path.suffix == ".keras":
        model.save(path)
    elif path.suffix == ".npz":
        np.savez(path, **{v.path: ops.convert_to_numpy(v) for v in model.weights})
    else:
        variables = model.trainable_variables
        text.write(path, [(f"{v.path}:0", ops.convert_to_numpy(v)) for v in variables])
