"""`cnnblocks train`: train a network."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnblocks.cli.network_options import network_arg_option, read_arguments
from cnnblocks.cli.options import (
    Shape,
    backend_option,
    cluster_options,
    device_option,
    json_option,
    meet,
    print_json,
    runs_dir_option,
)

if TYPE_CHECKING:
    from cnnblocks.runs import RunDirectory
    from cnnblocks.training import Run
    from cnnblocks.training.preparation import Prepared


_RECIPE = (
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "schedule",
    "clip_norm",
    "label_smoothing",
    "ema",
    "class_weights",
    "input_shape",
    "validation",
    "validation_split",
    "best_by",
    "early_stopping",
)
"""Options that are fields of the recipe."""

_SETTINGS = (
    "seed",
    "precision",
    "device",
    "backend",
    "deterministic",
    "weights",
    "freeze",
    "checkpoint_every",
    "keep",
    "tensorboard",
    "csv",
    "dump_weights",
    "input",
    "tune",
)
"""Options that are fields of the configuration."""


def _fields(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Fields of a recipe; `table.entry=value` sets an entry of a table."""
    found: dict[str, Any] = {}
    for name, value in read_arguments(ctx, param, values).items():
        field, dot, entry = name.partition(".")
        earlier = found.get(field)
        table = earlier if isinstance(earlier, dict) else {}
        found[field] = {**table, entry: value} if dot else value
    return found


@click.command(
    short_help="Train a network on images.",
    epilog="Example: cnnblocks train lenet5 --data digits --epochs 5",
)
@click.argument("network", required=False)
@click.option("--data", metavar="NAME|PATH", help="A data set's name, a folder or a .npz file.")
@click.option(
    "--recipe",
    "recipe_name",
    default="default",
    show_default=True,
    type=click.Choice(["default", "original", "speedrun"]),
    help="What to start from.",
)
@click.option(
    "--set",
    "fields",
    multiple=True,
    callback=_fields,
    metavar="FIELD=VALUE",
    help="A field of the recipe, such as momentum=0.8 or augmentation.shift=2; may be repeated.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with fields of the recipe; see `cnnblocks recipe`.",
)
@click.option("--like", metavar="RUN", help="Repeat the configuration of a run.")
@click.option("--epochs", type=int, help="Passes over the training images.")
@click.option("--batch-size", type=int, help="Images a step.")
@click.option("--optimizer", type=click.Choice(["adam", "adamw", "sgd"]), help="The optimizer.")
@click.option("--learning-rate", type=float, help="The highest rate of the schedule.")
@click.option(
    "--schedule",
    type=click.Choice(["constant", "cosine", "one-cycle"]),
    help="How the rate changes.",
)
@click.option("--clip-norm", type=float, help="Highest norm of the gradients.")
@click.option("--label-smoothing", type=float, help="Share of the target spread over classes.")
@click.option("--ema", type=float, help="Momentum of a moving average of the weights.")
@click.option("--class-weights", type=click.Choice(["balanced"]), help="Weigh rare classes more.")
@click.option(
    "--input-shape",
    type=Shape(),
    help="Size of the network's input.  [default: the data's, if the network takes it]",
)
@network_arg_option
@click.option(
    "--validation",
    type=click.Choice(["holdout", "tail", "test", "none"]),
    help="Which images judge an epoch.",
)
@click.option("--validation-split", type=float, help="Share of images held out to judge epochs.")
@click.option(
    "--train-images", type=click.IntRange(1), metavar="N", help="Train on N of the images only."
)
@click.option(
    "--best-by",
    type=click.Choice(["val_loss", "val_accuracy", "loss", "accuracy"]),
    help="What chooses the weights to keep.",
)
@click.option(
    "--keep",
    default="best",
    show_default=True,
    type=click.Choice(["best", "last"]),
    help="Which epoch's weights to keep.",
)
@click.option(
    "--early-stopping", type=int, metavar="N", help="Stop after N epochs without improvement."
)
@click.option(
    "--checkpoint-every",
    type=click.IntRange(1),
    metavar="N",
    help="Also keep the weights of every Nth epoch.",
)
@click.option(
    "--weights",
    type=click.Path(exists=True, path_type=Path),
    help="A file of weights to start from.",
)
@click.option("--freeze", type=click.Choice(["backbone"]), help="Train the head only.")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Of everything random."
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "mixed_float16", "mixed_bfloat16", "auto"]),
    help="In which precision to compute.  [default: the recipe's]",
)
@device_option
@cluster_options
@backend_option
@click.option("--deterministic", is_flag=True, help="Use deterministic kernels, and tune nothing.")
@click.option(
    "--input",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "host", "device"]),
    help="Where the images are; on the device they are augmented there.",
)
@click.option(
    "--tune",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "off"]),
    help="Whether to measure what is fastest.",
)
@click.option("--tensorboard", is_flag=True, help="Also write TensorBoard's files.")
@click.option("--csv", is_flag=True, help="Also write Keras' log.csv.")
@click.option(
    "--dump-weights", is_flag=True, help="Also write the trainable weights to weights.txt."
)
@click.option("--summary", is_flag=True, help="Print the layer table first.")
@click.option("--detach", is_flag=True, help="Train in the background and return at once.")
@click.option("--quiet", is_flag=True, help="Print the result only.")
@json_option
@runs_dir_option
@click.pass_context
def train(ctx: click.Context, network: str | None, data: str | None, **options: Any) -> None:
    """Train NETWORK on images and keep everything about it in a run directory.

    Ctrl+C stops after the steps in flight, and `cnnblocks resume` goes on exactly there.
    """
    from cnnblocks.training import devices
    from cnnblocks.training.distribution import leads
    from cnnblocks.training.shards import dedicate_process

    dedicate_process()
    meet(options, options["backend"], options["device"])
    prepared = _prepare(ctx, network, data, options)
    quiet = options["quiet"] or options["as_json"] or not leads()
    if not quiet:
        for note in [*prepared.dataset.notes, *prepared.notes]:
            click.echo(note, err=True)
    if options["summary"] and not quiet:
        _print_summary(prepared.model)
    run = _create(prepared, options["runs_dir"])
    if options["detach"]:
        devices.restore()
        run.launch()
        _say_where(run, options)
        return
    _train(run, prepared, quiet)
    if leads():
        _conclude(run, options)


def _prepare(
    ctx: click.Context, network: str | None, data: str | None, options: dict[str, Any]
) -> "Prepared":
    from cnnblocks.runs import RunDirectory
    from cnnblocks.training import TrainingConfig
    from cnnblocks.training.preparation import settle, with_model, with_tuning_of

    if not options["like"] and not (network and data):
        raise click.UsageError(
            "Name a network and its data, as in: cnnblocks train lenet5 --data digits", ctx
        )
    settings = {name: options[name] for name in _SETTINGS} | {"images": options["train_images"]}
    recipe: Any = options["recipe_name"]
    if options["like"]:
        model = RunDirectory.open(options["like"], options["runs_dir"])
        network, data, recipe, settings = _like(ctx, model, network, data, settings)
    overrides = _read_toml(options["config"])
    for name, value in options["fields"].items():
        tables = isinstance(value, dict) and isinstance(overrides.get(name), dict)
        overrides[name] = overrides[name] | value if tables else value
    overrides |= {name: options[name] for name in _RECIPE if options[name] is not None}
    if options["network_args"]:
        overrides["network_args"] = overrides.get("network_args", {}) | options["network_args"]
    settled = settle(str(network), str(data), recipe=recipe, overrides=overrides, **settings)
    if options["like"]:
        settled = with_tuning_of(settled, TrainingConfig.from_dict(model.config))
    # A file of weights is tried now, so that one that does not fit is told of now.
    later = options["detach"] and not options["weights"]
    return settled if later else with_model(settled)


def _like(
    ctx: click.Context,
    model: "RunDirectory",
    network: str | None,
    data: str | None,
    settings: dict[str, Any],
) -> tuple[str, str, Any, dict[str, Any]]:
    """The choices of a run, save those that were made on the command line."""
    from click.core import ParameterSource

    from cnnblocks.training import TrainingConfig

    config = TrainingConfig.from_dict(model.config)
    earlier = {name: getattr(config, name) for name in _SETTINGS} | {"images": config.data["limit"]}
    options = {"images": "train_images"}
    given = {
        name: value
        for name, value in settings.items()
        if ctx.get_parameter_source(options.get(name, name)) == ParameterSource.COMMANDLINE
    }
    recipe = config.recipe.override({"input_shape": config.input_shape})
    return network or config.network, data or config.data["source"], recipe, earlier | given


def _read_toml(path: Path | None) -> dict[str, Any]:
    import tomllib

    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{path} cannot be read: {error}", param_hint="--config") from None


def _print_summary(model: Any) -> None:
    from cnnblocks import summarize

    click.echo(str(summarize(model)))


def _create(prepared: "Prepared", runs_dir: Path | None) -> "Run":
    from cnnblocks.training.run import create_run

    return create_run(prepared.config, runs_dir)


def _train(run: "Run", prepared: "Prepared", quiet: bool) -> None:
    from cnnblocks.cli.run_view import foreground
    from cnnblocks.training.lifecycle import train_run

    if quiet:
        train_run(run, prepared)
        return
    with foreground(run) as observer:
        train_run(run, prepared, observer)


def _conclude(run: "Run", options: dict[str, Any]) -> None:
    from cnnblocks.cli.run_view import exit_status

    if options["as_json"]:
        _print_result(run)
    else:
        _tell(run, options["quiet"])
    sys.exit(exit_status(run))


def _tell(run: "Run", quiet: bool) -> None:
    from cnnblocks.cli.chart import curves
    from cnnblocks.cli.run_view import conclude

    if not quiet:
        names = ("accuracy", "val_accuracy")
        series = {n: [row[n] for row in run.history if n in row] for n in names}
        if len(run.history) > 1:
            click.echo(curves({name: values for name, values in series.items() if values}))
    if result := _test_result(run):
        metrics = result["metrics"]
        click.echo(
            f"test accuracy {metrics['accuracy']:.4f}, loss {metrics['loss']:.4f} on "
            f"{result['images']:,} images, weights of epoch {result['epoch']}"
        )
    conclude(run)
    click.echo(f"files: {run.path}")


def _test_result(run: "Run") -> dict[str, Any] | None:
    found = [event for event in run.events if event["event"] == "evaluation"]
    return found[-1] if found else None


def _print_result(run: "Run") -> None:
    result = _test_result(run)
    print_json(
        {
            "id": run.id,
            "path": str(run.path),
            "state": run.state,
            "reason": run.status.reason,
            "best": run.status.best,
            "test": result and {name: result[name] for name in ("images", "epoch", "metrics")},
        }
    )


def _say_where(run: "Run", options: dict[str, Any]) -> None:
    if options["as_json"]:
        _print_result(run)
        return
    click.echo(f"{run.id} trains in the background. Watch it with: cnnblocks follow {run.id}")
    click.echo(f"files: {run.path}")
