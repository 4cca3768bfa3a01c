"""`cnnblocks datasets`: what one can train on."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cnnblocks.cli.options import json_option, print_json

if TYPE_CHECKING:
    from cnnblocks.data import Dataset

_CLASSES_SHOWN = 30


@click.command(
    short_help="List the data sets, or describe one.",
    epilog="Examples: cnnblocks datasets | cnnblocks datasets digits | "
    "cnnblocks datasets photos/ --json",
)
@click.argument("source", required=False)
@click.option("--skip-corrupt", is_flag=True, help="Leave out images that cannot be read.")
@json_option
def datasets(source: str | None, skip_corrupt: bool, as_json: bool) -> None:
    """List the data sets known by name, or describe SOURCE.

    SOURCE is one of those names, a folder of images (train/<class>/ and test/<class>/, or
    <class>/), a folder of IDX files, or a .npz file.
    """
    if source is None:
        _list_known(as_json)
        return
    from cnnblocks.backend import import_keras
    from cnnblocks.data import load
    from cnnblocks.data.keras_datasets import DOWNLOADS

    if source in DOWNLOADS:
        import_keras()
    dataset = load(source, on_corrupt="skip" if skip_corrupt else "error")
    if as_json:
        print_json(dataset.to_dict())
    else:
        _describe(dataset)


def _list_known(as_json: bool) -> None:
    from cnnblocks.data import known_sources

    known = known_sources()
    if as_json:
        entries = [asdict(source) for source in known]
        print_json({"datasets": entries})
        return
    for source in known:
        place = "here" if source.present else "to download"
        click.echo(f"{source.name:14} {source.description}  ({place})")


def _describe(dataset: "Dataset") -> None:
    facts = dataset.to_dict()
    height, width, channels = (size or "any" for size in facts["image_shape"])
    click.echo(f"{facts['name']}  ({facts['source']})")
    click.echo(f"images   {height} x {width} x {channels}, {_place(facts)}")
    for name, count in facts["splits"].items():
        click.echo(f"{name:11}{count:>9,}")
    click.echo(f"classes  {len(facts['classes'])}")
    for entry in facts["classes"][:_CLASSES_SHOWN]:
        counts = "  ".join(f"{name} {entry[name]:,}" for name in facts["splits"])
        click.echo(f"  {entry['name']:20} {counts}")
    if len(facts["classes"]) > _CLASSES_SHOWN:
        click.echo(f"  and {len(facts['classes']) - _CLASSES_SHOWN} more (--json has all)")
    for note in facts["notes"]:
        click.echo(f"note     {note}")
    if facts["skipped"]:
        click.echo(f"skipped  {len(facts['skipped'])} unreadable: {facts['skipped'][0]} ...")


def _place(facts: dict[str, Any]) -> str:
    return "in memory" if facts["in_memory"] else "in files"
