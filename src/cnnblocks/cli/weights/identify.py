"""`cnnblocks weights identify`: which networks weight files belong to."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnblocks.cli.options import backend_option, json_option, print_json
from cnnblocks.cli.weights.view import FILES_HELP

if TYPE_CHECKING:
    from cnnblocks.weights import Identification


@click.command(
    short_help="Say which networks weight files fit.",
    help="Say which registered networks weight files fit, exactly or but for the head, with "
    f"width, classes and input shape.\n\n{FILES_HELP} Exit status: 0 if every file fits a "
    "network, 1 if one does not or only in more than one way, 2 on trouble.",
    epilog="Example: cnnblocks weights identify unknown.h5",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--networks", "pattern", default="*", help="Try only networks named so: 'vgg*'.")
@backend_option
@json_option
def identify(files: tuple[str, ...], pattern: str, backend: str | None, as_json: bool) -> None:
    from cnnblocks import weights
    from cnnblocks.backend import import_keras
    from cnnblocks.weights.selection import expand

    results: list[dict[str, Any]] = []
    for path in expand(files):
        with weights.open(path) as table:
            import_keras(backend)
            from cnnblocks.networks.candidates import candidates

            structure = weights.table_structure(table)
            found = weights.identify(table, candidates(structure, pattern))
            results.append(
                {
                    "path": str(path),
                    "format": table.format,
                    "parameters": structure.parameters,
                    "matches": [one.to_json() for one in found],
                }
            )
            if not as_json:
                _print(path, found)
    if as_json:
        print_json(results[0] if len(results) == 1 else {"files": results})
    sys.exit(0 if all(_fits(result) for result in results) else 1)


def _fits(result: dict[str, Any]) -> bool:
    return any(match["fit"] != "ambiguous" for match in result["matches"])


def _print(path: Path, found: "list[Identification]") -> None:
    click.echo(f"{path}:" if found else f"{path}: fits no registered network")
    for one in found:
        arguments = ", ".join(f"{k}={v!r}" for k, v in one.candidate.arguments.items())
        click.echo(f"  {one.candidate.network:<12} {_FITS[one.fit]:<26} {arguments}")


_FITS = {
    "exact": "exactly",
    "ambiguous": "in more than one way",
    "except head": "but for the head",
}
