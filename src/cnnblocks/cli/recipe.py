"""`cnnblocks recipe`: show how a network is trained."""

import click

from cnnblocks.cli.options import json_option, print_json


@click.command(
    short_help="Show how a network is trained, as TOML.",
    epilog="Example: cnnblocks recipe resnet18 > mine.toml",
)
@click.argument("network")
@click.argument("name", default="default", type=click.Choice(["default", "original", "speedrun"]))
@click.option(
    "--train-images",
    default=50_000,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="How many training images there are, which recipe 'default' depends on.",
)
@click.option(
    "--size",
    default=32,
    show_default=True,
    type=click.IntRange(1),
    metavar="PIXELS",
    help="Height of the network's input, on which augmentation depends.",
)
@click.option(
    "--mirrored",
    is_flag=True,
    help="An image's mirror image is another of its class, as with photos.",
)
@json_option
def recipe(
    network: str, name: str, train_images: int, size: int, mirrored: bool, as_json: bool
) -> None:
    """Show a recipe of NETWORK as TOML, to change and give to `cnnblocks train --config`."""
    from cnnblocks.training import recipe as find

    found = find(network, name, images=train_images, size=size, mirrored=mirrored)
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(found.to_toml(), nl=False)
