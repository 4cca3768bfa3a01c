"""`cnnblocks doctor`: what is installed, what works, what is missing."""

import sys
from pathlib import Path
from typing import Any

import click

from cnnblocks.cli.options import backend_option, json_option, print_json, runs_dir_option


@click.command(
    short_help="Print versions, devices and directories.",
    epilog="Example: cnnblocks doctor --backend jax",
)
@backend_option
@runs_dir_option
@json_option
def doctor(backend: str | None, runs_dir: Path | None, as_json: bool) -> None:
    """Print versions, backend, devices, CUDA libraries, directories and the terminal.

    Ends with status 1 when something is wrong.
    """
    from cnnblocks.training.doctor import diagnose

    found = diagnose(backend, runs_dir)
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["problems"]:
        sys.exit(1)


def _print(found: dict[str, Any]) -> None:
    _section("Versions", {name: value or "-" for name, value in found["versions"].items()})
    _section("Backend", {found["backend"] or "none": ", ".join(found["devices"]) or "no devices"})
    libraries = found["cuda"]["libraries"]
    if libraries:
        gpu = {"NVIDIA GPU": "found" if found["cuda"]["gpu"] else "none"}
        _section("CUDA", gpu | {name: path or "missing" for name, path in libraries.items()})
    directories = found["directories"].items()
    _section(
        "Directories",
        {
            name: f"{entry['path']}{'' if entry['writable'] else '  (cannot be written)'}"
            for name, entry in directories
        },
    )
    _section("Terminal", {name: str(value) or "-" for name, value in found["terminal"].items()})
    for problem in found["problems"]:
        click.secho(f"Problem: {problem}", fg="red")
    if not found["problems"]:
        click.secho("Nothing is wrong.", fg="green")


def _section(title: str, rows: dict[str, str]) -> None:
    click.secho(title, bold=True)
    width = max(map(len, rows))
    for name, value in rows.items():
        click.echo(f"  {name:<{width}}  {value}")
