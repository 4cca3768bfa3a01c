"""Options and arguments that several commands share, and how results are printed."""

import json
import sys
from pathlib import Path
from typing import Any

import click

runs_dir_option = click.option(
    "--runs-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="The directory of runs.  [default: $CNNBLOCKS_RUNS_DIR, else ./runs]",
)

run_argument = click.argument("run", metavar="RUN")
"""A run; a command that takes it says what RUN may be, with `RUN_HELP`."""

RUN_HELP = "RUN is a run's id, the beginning of one, its path, or 'last'."

backend_option = click.option(
    "--backend",
    type=click.Choice(["tensorflow", "jax", "torch"]),
    help="Keras' backend.  [default: $KERAS_BACKEND, else Keras' configuration, else the first "
    "installed]",
)

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|gpu|gpu:0,1|all",
    help="Where to compute; 'all' shares every batch among the machine's devices.",
)


class Shape(click.ParamType):
    """Height, width and channels, such as `64x64x3`."""

    name = "HEIGHTxWIDTHxCHANNELS"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        numbers = value.lower().split("x")
        if len(numbers) != 3 or not all(number.isdecimal() and int(number) for number in numbers):
            self.fail(f"expected a size such as 64x64x3, received {value!r}", param, ctx)
        return tuple(map(int, numbers))


_HINTS = (
    click.option("--network", help="The network of a file that holds weights alone."),
    click.option("--input-shape", type=Shape(), help="The size of its input, such as 64x64x3."),
    click.option(
        "--input-range",
        type=click.Choice(["0..1", "-1..1", "raw"]),
        help="How pixels reach a foreign file's network; raw is 0 to 255.",
    ),
    click.option(
        "--classes",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file with the names of a foreign file's classes, one a line.",
    ),
)


def hint_options(command: Any) -> Any:
    """What a user can say of a model file that does not say it itself; see `read_hints`."""
    for option in reversed(_HINTS):
        command = option(command)
    return command


def read_hints(
    network: str | None,
    input_shape: tuple[int, int, int] | None,
    input_range: str | None,
    classes: Path | None,
) -> Any:
    """The `Hints` in the values of `hint_options`."""
    from cnnblocks.training.trained import Hints

    names = _lines(classes) if classes else None
    return Hints(
        network=network,
        input_shape=input_shape,
        input_range=input_range,
        class_names=[name for name in names if name] if names is not None else None,
    )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(
            f"{path} cannot be read: {error}", param_hint="--classes"
        ) from None


_CLUSTER = (
    click.option(
        "--coordinator",
        metavar="HOST:PORT",
        help="Train with other processes: where process 0 is. Read from Slurm's variables, or from "
        "MASTER_ADDR and its like, when they are set.",
    ),
    click.option("--num-processes", type=click.IntRange(min=1), help="How many processes."),
    click.option("--process-id", type=click.IntRange(min=0), help="Which one this is, from 0."),
)


def cluster_options(command: Any) -> Any:
    """With which other processes to train; see `meet`."""
    for option in reversed(_CLUSTER):
        command = option(command)
    return command


def meet(options: dict[str, Any], backend: str | None, device: str) -> None:
    """Meet the processes that `cluster_options` or a scheduler name; one on its own goes on."""
    from cnnblocks.training import distribution

    cluster = distribution.find_cluster(
        options["coordinator"], options["num_processes"], options["process_id"]
    )
    if cluster is None:
        return
    if options["detach"]:
        raise click.UsageError("Several processes cannot be detached: start each in the background")
    distribution.join(cluster, backend, device)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(content: Any) -> None:
    """Print JSON to standard output; objects that hold no `schema` get one."""
    if isinstance(content, dict):
        content = {"schema": 1, **content}
    click.echo(json.dumps(content, indent=2))


def is_terminal() -> bool:
    """Whether a person is reading: live displays are for them, plain lines for everything else."""
    return sys.stdout.isatty()


def start_keras(backend: str | None, device: str) -> str:
    """Import Keras on the backend and the devices asked for, and return the backend."""
    from cnnblocks.backend import import_keras, select_backend
    from cnnblocks.training import devices

    chosen = select_backend(backend)
    devices.use(device, chosen)
    return import_keras(chosen)
