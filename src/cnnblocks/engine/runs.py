"""Run directories from a form, and the command line that does the same."""

import shlex
from typing import Any

from cnnblocks.engine.registry import Context, method

_WITHOUT_FLAG = frozenset(
    {
        "momentum",
        "nesterov",
        "warmup",
        "weight_decay",
        "resize",
        "scaling",
        "augmentation",
        "drop_remainder",
        "kernel_initializer",
        "head_bias",
        "classifier_activation",
        "outputs",
    }
)


@method("runs.create")
def create_run(
    context: Context, network: str, data: str, options: dict[str, Any], runs_dir: str
) -> dict:
    """A queued run, to be launched by whoever asked.

    `options` are those of `cnnblocks.train`: fields of the recipe and of the configuration.
    """
    from cnnblocks.training import Run
    from cnnblocks.training.preparation import settle

    settled = settle(network, data, look_for_devices=False, **options)
    run = Run.create(settled.config.to_dict(), runs_dir=runs_dir)
    return {"id": run.id, "path": str(run.path)}


@method("runs.command")
def tell_command(
    context: Context, network: str, data: str, options: dict[str, Any], runs_dir: str | None = None
) -> dict:
    """The command line that does what `runs.create` would."""
    words = ["cnnblocks", "train", network, "--data", data]
    for name, value in options.items():
        words += _words(name, value)
    if runs_dir:
        words += ["--runs-dir", runs_dir]
    return {"command": shlex.join(words)}


def _words(name: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        flag, prefix = ("--network-arg", "") if name == "network_args" else ("--set", f"{name}.")
        return [word for key in value for word in (flag, f"{prefix}{key}={value[key]}")]
    if name in _WITHOUT_FLAG or value is None:
        return ["--set", f"{name}={value}"]
    flag = "--" + {"images": "train-images"}.get(name, name.replace("_", "-"))
    if name == "input_shape":
        return [flag, "x".join(map(str, value))]
    if isinstance(value, bool):
        return [flag] if value else []
    return [flag, str(value)]
