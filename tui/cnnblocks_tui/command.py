"""The command `cnnblocks-tui`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnblocks import __version__
from cnnblocks.errors import CnnblocksError

if TYPE_CHECKING:
    from cnnblocks_tui.settings import Settings


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: cnnblocks-tui runs/20261122-0512-lenet5-ab12",
)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--runs-dir", type=click.Path(path_type=Path), help="Where the runs are.")
@click.option("--theme", help="cnnblocks-dark, cnnblocks-light, cnnblocks-colour-blind, ...")
@click.option("--ascii", is_flag=True, help="Draw with ASCII characters only.")
@click.option("--reduced-motion", is_flag=True, help="Nothing moves by itself.")
@click.option("--serve", is_flag=True, help="Serve it to a browser on this machine.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=8000,
    show_default=True,
    help="Port of --serve.",
)
@click.option("--print-keymap", is_flag=True, help="Print a keys.toml to start from.")
@click.version_option(__version__, prog_name="cnnblocks-tui")
def cnnblocks_tui(
    path: Path | None,
    runs_dir: Path | None,
    theme: str | None,
    ascii: bool,
    reduced_motion: bool,
    serve: bool,
    port: int,
    print_keymap: bool,
) -> None:
    """Browse the networks, train them, look inside the weights.

    PATH is what to open first: a run, a weight file (.h5, .keras, a TensorFlow checkpoint, a text
    dump), or a directory of runs or weight files.
    """
    from cnnblocks_tui.settings import keymap_template, load_settings

    if print_keymap:
        click.echo(keymap_template(), nl=False)
        return
    try:
        if path is not None:
            from cnnblocks_tui.opening import kind_of

            kind_of(path)
        if serve:
            from cnnblocks_tui.serving import serve as serve_program

            serve_program([word for word in sys.argv[1:] if word != "--serve"], port)
            return
        settings = load_settings(
            theme=theme, ascii=ascii, reduced_motion=reduced_motion, runs_dir=runs_dir
        )
    except CnnblocksError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    _run(settings, path)


def _run(settings: "Settings", path: Path | None) -> None:
    from cnnblocks_tui import latency

    latency.prepare()
    from cnnblocks_tui.app import CnnblocksApp
    from cnnblocks_tui.places import start_logging

    start_logging()
    app = CnnblocksApp(settings, path, settles=True)
    app.run()
    sys.exit(app.return_code or 0)
