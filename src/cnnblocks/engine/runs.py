"""Run directories from a form, and the command line that does the same."""

import shlex
from collections.abc import Mapping
from dataclasses import fields, replace
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

    `options` are those of `cnnblocks.train`: fields of the recipe and of the configuration. With
    `recipe` an object, that is the recipe, and nothing is added to it.
    """
    from cnnblocks.training import Recipe, Run
    from cnnblocks.training.preparation import settle

    chosen = dict(options)
    # The engine's own Keras has one backend, whichever the training is to use.
    backend = chosen.pop("backend", None)
    if isinstance(chosen.get("recipe"), dict):
        chosen["recipe"] = Recipe.from_dict(chosen["recipe"])
    config = settle(network, data, look_for_devices=False, **chosen).config
    config = replace(config, backend=backend or config.backend)
    run = Run.create(config.to_dict(), runs_dir=runs_dir)
    return {"id": run.id, "path": str(run.path)}


@method("runs.command")
def tell_command(
    context: Context,
    network: str,
    data: str,
    options: dict[str, Any],
    runs_dir: str | None = None,
    base: dict[str, Any] | None = None,
) -> dict:
    """The command line that does what `runs.create` would.

    `base` is what `recipes.show` tells of these data: the command line starts from it, so that
    only what differs need be said.
    """
    chosen, base = dict(options), base or {}
    recipe = chosen.pop("recipe", {})
    recipe = {"name": recipe} if isinstance(recipe, str) else dict(recipe)
    words = ["cnnblocks", "train", network, "--data", data]
    name = recipe.pop("name", "default")
    if name != "default":
        words += ["--recipe", name]
    recipe.pop("precision", None)
    for field, value in recipe.items():
        words += _recipe_words(field, value, base.get(field), network)
    usual = _usual() | {"precision": base.get("precision")}
    for field, value in chosen.items():
        if value is not None and value != usual.get(field):
            words += _words(field, value)
    if runs_dir:
        words += ["--runs-dir", runs_dir]
    return {"command": shlex.join(words)}


def _usual() -> dict[str, Any]:
    """What the command line takes where it is told nothing."""
    from cnnblocks.training.config import TrainingConfig

    usual = {entry.name: entry.default for entry in fields(TrainingConfig)}
    return usual | {"seed": 0, "backend": None}


def _recipe_words(name: str, value: Any, base: Any, network: str) -> list[str]:
    if name not in ("augmentation", "network_args"):
        return [] if value == base else _words(name, value)
    flag, prefix = ("--set", "augmentation.") if name == "augmentation" else ("--network-arg", "")
    changes = _changes(value or {}, base or {}, _defaults(name, network))
    return [word for key in changes for word in (flag, f"{prefix}{key}={changes[key]}")]


def _changes(
    table: Mapping[str, Any], base: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """What turns one table into another where entries can be set but not taken out."""
    taken_out = {key: defaults.get(key) for key in base if key not in table}
    return {k: v for k, v in table.items() if k not in base or base[k] != v} | taken_out


def _defaults(name: str, network: str) -> Mapping[str, Any]:
    if name == "augmentation":
        from cnnblocks.data import Augmentation

        return {entry.name: entry.default for entry in fields(Augmentation)}
    from cnnblocks import networks

    return networks.get(network).arguments


def _words(name: str, value: Any) -> list[str]:
    if value is None:
        return ["--set", f"{name}=none"]
    if name in _WITHOUT_FLAG:
        return ["--set", f"{name}={value}"]
    flag = "--" + {"images": "train-images"}.get(name, name.replace("_", "-"))
    if name == "input_shape":
        return [flag, "x".join(map(str, value))]
    if isinstance(value, bool):
        return [flag] if value else []
    return [flag, str(value)]
