"""From what the user asked for to a model and batches, with every mistake found before training."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cnnblocks.backend import select_backend
from cnnblocks.data import Augmentation, Dataset, Preprocessing
from cnnblocks.data import load as load_data
from cnnblocks.training import devices, shards
from cnnblocks.training.config import TrainingConfig, versions
from cnnblocks.training.distribution import Team, gather
from cnnblocks.training.errors import TrainingError
from cnnblocks.training.precision import check as check_precision
from cnnblocks.training.precision import resolve as resolve_precision
from cnnblocks.training.recipes import Recipe, may_be_mirrored
from cnnblocks.training.recipes import recipe as named_recipe
from cnnblocks.training.tuning import fits

FREEZES = ("backbone",)
INPUTS = ("auto", "host", "device")


@dataclass
class Prepared:
    """All that a training needs.

    Attributes:
        config: The configuration.
        dataset: The images.
        devices: Names of the devices, such as `["gpu:0"]`.
        model: The network, not compiled.
        notes: What the user should know, such as which weights were loaded.
        team: The devices and processes that share every batch.
        shards: Into how many parts batches are to be split; see `cnnblocks.training.shards`.
    """

    config: TrainingConfig
    dataset: Dataset
    devices: list[str]
    model: Any
    notes: list[str] = field(default_factory=list)
    team: Team = field(default_factory=Team)
    shards: int = 1


def plan(network: str, data: str | Path, **options: Any) -> Prepared:
    """Settle a configuration and prepare its training in this process.

    Takes the arguments of `settle` and returns what it returns, with a model that can be trained.
    """
    return with_model(settle(network, data, **options))


def with_model(settled: Prepared) -> Prepared:
    """What `settle` returned, with a model that can be trained."""
    return _build(settled.config, settled.dataset, settled.devices, outline=settled.model)


def with_tuning_of(prepared: Prepared, other: TrainingConfig) -> Prepared:
    """The same, run the way another training was, if that holds for it."""
    if not fits(prepared.config, other):
        return prepared
    return replace(prepared, config=replace(prepared.config, tuning=other.tuning))


def settle(
    network: str,
    data: str | Path,
    *,
    recipe: str | Recipe = "default",
    overrides: Mapping[str, Any] | None = None,
    images: int | None = None,
    seed: int = 0,
    precision: str | None = None,
    device: str = "auto",
    backend: str | None = None,
    look_for_devices: bool = True,
    **options: Any,
) -> Prepared:
    """Settle a configuration, with every mistake in it found.

    Args:
        network: A registered network.
        data: A data set's name or a path, as `cnnblocks.data.load` takes it.
        recipe: One of `cnnblocks.training.recipes.RECIPES`, or a recipe.
        overrides: Fields of the recipe that are to differ.
        images: Train on so many images at most.
        seed: Of everything random.
        precision: One of `cnnblocks.training.precision.PRECISIONS`; `None` for the recipe's.
        device: See `cnnblocks.training.devices.use`.
        backend: Keras' backend; see `cnnblocks.backend.select_backend`.
        look_for_devices: Whether to try the device now. Otherwise the process that trains does,
            and there precision `"auto"` is resolved.
        **options: Further fields of `Recipe` that are to differ, and of `TrainingConfig`.

    Returns:
        The configuration, the images and an outline of the model: layers without values.

    Raises:
        CnnblocksError: Something asked for is not possible; the message says what.
    """
    changes = {**(overrides or {}), **_fields_of_recipe(options)}
    _check(options)
    chosen = _recipe(network, recipe, changes)
    backend = select_backend(backend)
    devices.check(device)
    precision = check_precision(precision or chosen.precision)
    names = []
    if look_for_devices:
        names = _devices(device, backend, options.get("deterministic", False))
    spec = _spec(network)
    dataset = _load(str(data), chosen, seed, images)
    shape = chosen.input_shape or _input_shape(spec, dataset, chosen)
    chosen = _recipe(
        network,
        recipe,
        changes,
        images=len(dataset.train),
        size=shape[0],
        mirrored=may_be_mirrored(shape[2], dataset.class_names),
    )
    Augmentation.from_dict(chosen.augmentation)
    preprocessing = Preprocessing.from_dict(
        {"input_shape": shape, "resize": chosen.resize, "scaling": chosen.scaling}
    ).fit(dataset.train)
    config = TrainingConfig(
        network=network,
        data=_describe(dataset, images),
        recipe=chosen,
        seed=seed,
        input_shape=shape,
        preprocessing=preprocessing.to_dict(),
        precision=resolve_precision(precision, names) if look_for_devices else precision,
        device=device,
        backend=backend,
        versions=versions(),
        **options,
    )
    return Prepared(config, dataset, names, build_model(config, outline=True))


def prepare(config: TrainingConfig, begun: bool = False) -> Prepared:
    """Prepare the training of a configuration that was settled before.

    Args:
        config: The configuration.
        begun: Whether a checkpoint holds the weights, so that those to start from are not needed.

    Raises:
        CnnblocksError: The data are no longer what they were, or a device is missing.
    """
    backend = select_backend(config.backend)
    names = _devices(config.device, backend, config.deterministic)
    dataset = _load(config.data["source"], config.recipe, config.seed, config.data["limit"])
    if _fingerprint(dataset) != config.data["fingerprint"]:
        raise TrainingError(
            f"The images of {config.data['source']} are not those the run was started with, so it "
            "cannot go on exactly. Restore them, or start a new run with --like."
        )
    config = replace(config, precision=resolve_precision(config.precision, names))
    return _build(config, dataset, names, begun)


def _recipe(
    network: str, recipe: str | Recipe, overrides: Mapping[str, Any] | None, **data: Any
) -> Recipe:
    if isinstance(recipe, str):
        recipe = named_recipe(network, recipe, **data)
    return recipe.override(overrides or {})


def _fields_of_recipe(options: dict[str, Any]) -> dict[str, Any]:
    """Take the fields of a recipe out of `options`."""
    names = {entry.name for entry in fields(Recipe)} - {"name", "precision"}
    return {name: options.pop(name) for name in list(options) if name in names}


def _check(options: dict[str, Any]) -> None:
    known = {entry.name for entry in fields(TrainingConfig)}
    for name in options:
        if name not in known:
            close = get_close_matches(name, [entry.name for entry in fields(Recipe)] + [*known], 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise TrainingError(f"Training has no option {name!r}.{hint}")
    if options.get("weights"):
        options["weights"] = str(Path(options["weights"]).absolute())
    freeze = options.get("freeze")
    if freeze not in (None, *FREEZES):
        raise TrainingError(f"freeze must be one of {', '.join(FREEZES)}. Received: {freeze!r}")
    where = options.get("input", "auto")
    if where not in INPUTS:
        raise TrainingError(f"input must be one of {', '.join(INPUTS)}. Received: {where!r}")
    if options.get("tensorboard") and not (find_spec("tensorboard") and find_spec("tensorflow")):
        raise TrainingError(
            "TensorBoard's files take the packages tensorboard and tensorflow, which are not both "
            "installed. Install them with: pip install tensorboard tensorflow"
        )
    every = options.get("checkpoint_every")
    if every is not None and every < 1:
        raise TrainingError(f"checkpoint_every must be at least 1. Received: {every}")


def _devices(device: str, backend: str, deterministic: bool) -> list[str]:
    if deterministic:
        devices.make_deterministic(backend)
    return devices.use(device, backend)


def _spec(network: str) -> Any:
    from cnnblocks import networks

    return networks.get(network)


def _load(source: str, chosen: Recipe, seed: int, images: int | None) -> Dataset:
    return load_data(
        source,
        validation=chosen.validation,  # type: ignore[arg-type]
        validation_split=chosen.validation_split,
        seed=seed,
        limit=images,
    )


def _describe(dataset: Dataset, images: int | None) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "source": dataset.source,
        "limit": images,
        "class_names": list(dataset.class_names),
        "splits": {name: len(split) for name, split in dataset.splits.items()},
        "notes": list(dataset.notes),
        "fingerprint": _fingerprint(dataset),
    }


def _fingerprint(dataset: Dataset) -> dict[str, str]:
    return {name: split.fingerprint() for name, split in dataset.splits.items()}


def _input_shape(spec: Any, dataset: Dataset, chosen: Recipe) -> tuple[int, int, int]:
    """The data's own shape if the network takes it, else its native size with their channels."""
    height, width, channels = dataset.image_shape
    if height and width and min(height, width) >= spec.min_size(**chosen.network_args):
        return height, width, channels
    return (*spec.native_input_shape[:2], channels)


def _build(
    config: TrainingConfig,
    dataset: Dataset,
    names: list[str],
    begun: bool = False,
    outline: Any = None,
) -> Prepared:
    import keras

    parts = _shards(config, dataset, names, outline)
    keras.utils.set_random_seed(config.seed)
    team = gather(config.device, config.backend, names)
    team.check_batch_size(config.recipe.batch_size)
    with team.scope():
        model, notes = _model(config, dataset, begun)
    return Prepared(config, dataset, names, model, notes, team, parts)


def _shards(config: TrainingConfig, dataset: Dataset, names: list[str], outline: Any) -> int:
    """Into how many parts to split batches; TensorFlow's threads are settled by that."""
    if config.backend != "tensorflow" or names != ["cpu:0"]:
        return 1
    if config.tuning:
        # As it was begun, even where it is too late for the threads.
        parts: int = config.tuning.get("shards", 1)
        if parts > 1:
            shards.use_threads_for(parts)
        return parts
    if not shards.process_is_dedicated():
        return 1
    network = build_model(config, outline=True) if outline is None else outline
    parts = shards.most(network, len(dataset.train), config.recipe.batch_size)
    return parts if parts > 1 and shards.use_threads_for(parts) else 1


def _model(config: TrainingConfig, dataset: Dataset, begun: bool) -> tuple[Any, list[str]]:
    """The network with the values it starts from, and what to say about them."""
    model = build_model(config)
    _draw_first_values(model, config, dataset)
    notes = []
    if config.weights and not begun:
        from cnnblocks.weights import load_weights

        notes.append(str(load_weights(model, config.weights, strict=False)))
    if config.freeze:
        from cnnblocks.training.first_values import freeze_backbone

        freeze_backbone(model)
    return model, notes


def build_model(config: TrainingConfig, outline: bool = False) -> Any:
    """The network of a configuration, with fresh values or, as an outline, with none."""
    from cnnblocks import networks

    recipe = config.recipe
    make = networks.outline if outline else networks.create
    dtype = "float32" if outline else config.precision
    return make(
        config.network,
        input_shape=config.input_shape,
        num_classes=config.num_classes,
        classifier_activation=recipe.classifier_activation,
        data_format="channels_last",
        dtype=dtype,
        **recipe.network_args,
    )


def _draw_first_values(model: Any, config: TrainingConfig, dataset: Dataset) -> None:
    from cnnblocks.training import first_values

    def images() -> Any:
        preprocessing = Preprocessing.from_dict(config.preprocessing)
        spread = np.linspace(0, len(dataset.train) - 1, _IMAGES_FOR_SCALE).astype(int)
        return preprocessing(dataset.train.images(spread))

    recipe = config.recipe
    first_values.draw(model, recipe.kernel_initializer, recipe.head_bias, images)


_IMAGES_FOR_SCALE = 64
"""Images from which `"lsuv"` takes the variance of every layer."""
