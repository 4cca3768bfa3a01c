"""`cnnblocks compare`: runs, or networks, beside each other."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnblocks.cli.network_options import network_arg_option
from cnnblocks.cli.options import RUN_HELP, backend_option, device_option, runs_dir_option

if TYPE_CHECKING:
    from cnnblocks.analysis import Comparison
    from cnnblocks.runs import RunDirectory
    from cnnblocks.training.preparation import Prepared


@click.command(
    short_help="Compare runs or networks in one table.",
    epilog="Example: cnnblocks compare --networks lenet5 alexnet8 vgg16 --data digits --epochs 5",
    help="Compare runs in one table: parameters, multiply-adds, accuracy, loss, time an epoch, "
    "time in all, images a second, and what differs between their settings.\n\n"
    f"{RUN_HELP} With --networks, the names are networks: those that were not yet trained with "
    "these settings are trained, one after the other.",
)
@click.argument("names", metavar="RUN|NETWORK...", nargs=-1, required=True)
@click.option("--networks", is_flag=True, help="Compare networks; train what is missing.")
@click.option("--data", help="With --networks: the images.")
@click.option("--epochs", type=click.IntRange(min=1), help="With --networks: epochs of each.")
@click.option("--batch-size", type=click.IntRange(min=1), help="With --networks: images a step.")
@click.option(
    "--recipe",
    type=click.Choice(["default", "original", "speedrun"]),
    default="default",
    show_default=True,
    help="With --networks: how they are trained.",
)
@click.option("--train-images", type=click.IntRange(min=1), help="With --networks: use so many.")
@click.option("--seed", type=int, default=0, show_default=True, help="With --networks.")
@click.option("--precision", help="With --networks.  [default: the recipe's]")
@network_arg_option
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "markdown", "csv", "json"]),
    default="text",
    show_default=True,
    help="How to print the table.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A .svg, .png or .pdf file for a picture of accuracy against time.",
)
@device_option
@backend_option
@runs_dir_option
def compare(
    names: tuple[str, ...],
    networks: bool,
    layout: str,
    output: Path | None,
    runs_dir: Path | None,
    **settings: Any,
) -> None:
    from cnnblocks.cli.options import start_keras
    from cnnblocks.runs import RunDirectory

    if networks:
        if not settings["data"]:
            raise click.UsageError("--networks needs images to train on: --data digits")
        runs = _trained(names, runs_dir, settings)
    else:
        runs = [RunDirectory.open(name, runs_dir) for name in names]
        start_keras(settings["backend"], "cpu")
    from cnnblocks.analysis import compare as compare_runs

    found = compare_runs(runs)
    click.echo(_table(found, layout), nl=False)
    if output is not None:
        found.plot(output)
        click.echo(f"Wrote {output}.", err=True)


def _table(found: "Comparison", layout: str) -> str:
    import json

    if layout == "json":
        return json.dumps(found.to_json(), indent=2) + "\n"
    if layout == "csv":
        return found.to_csv()
    return found.to_markdown() if layout == "markdown" else found.to_text()


def _trained(
    names: tuple[str, ...], runs_dir: Path | None, settings: dict[str, Any]
) -> list["RunDirectory"]:
    """A finished run of each network."""
    from cnnblocks.training.preparation import settle

    overrides = {name: settings[name] for name in ("epochs", "batch_size") if settings[name]}
    if settings["network_args"]:
        overrides["network_args"] = settings["network_args"]
    common = {name: settings[name] for name in ("seed", "precision", "device", "backend")}
    runs = []
    for name in names:
        settled = settle(
            name,
            settings["data"],
            recipe=settings["recipe"],
            overrides=overrides,
            images=settings["train_images"],
            **common,
        )
        runs.append(_run_of(settled, runs_dir))
    return runs


def _run_of(settled: "Prepared", runs_dir: Path | None) -> "RunDirectory":
    """The run that trained this, found or trained now."""
    from cnnblocks.cli.run_view import conclude, watch
    from cnnblocks.runs import list_runs
    from cnnblocks.training.reuse import find_run
    from cnnblocks.training.run import create_run

    found = find_run(settled.config, list_runs(runs_dir))
    run = found or create_run(settled.config, runs_dir)
    if run.state == "finished":
        click.echo(f"{run.id} is there already.", err=True)
        return run
    if found is not None and found.active:
        watch(run, live=False)
    else:
        _train(run, settled)
    if run.state != "finished":
        conclude(run)
        click.echo("The same command goes on where this one ended.", err=True)
        sys.exit(1)
    return run


def _train(run: "RunDirectory", settled: "Prepared") -> None:
    import keras

    from cnnblocks.training.lifecycle import train_run

    click.echo(f"{run.id}: training {settled.config.network} ...", err=True)
    with _progress(settled.config.recipe.epochs) as observer:
        train_run(run, observer=observer)
    keras.utils.clear_session()


def _progress(epochs: int) -> Any:
    """A bar over the epochs, on standard error: standard output is for the table."""
    from contextlib import contextmanager

    from cnnblocks.cli.progress import progress_bar

    @contextmanager
    def counting() -> Any:
        with progress_bar("epochs") as progress:

            def observe(name: str, fields: dict[str, Any]) -> None:
                if progress and name == "epoch_end":
                    progress(fields["epoch"], epochs)

            yield observe

    return counting()
