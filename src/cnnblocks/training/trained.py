"""A trained model together with what it takes to give it an image."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnblocks.data import Preprocessing
from cnnblocks.runs import RunDirectory
from cnnblocks.training import checkpoint, optimizers
from cnnblocks.training.config import TrainingConfig
from cnnblocks.training.errors import TrainingError
from cnnblocks.training.facts import Facts
from cnnblocks.training.facts import read as read_facts

_FILES = (".keras", ".h5", ".hdf5", ".ckpt", ".index", ".txt", ".json")
_INPUT_RANGES = ("0..1", "-1..1", "raw")


class ModelFileError(TrainingError, ValueError):
    """A model file cannot be used as it is, or without being told more about it."""


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What a user says of a model file that does not say it itself.

    Attributes:
        network: The registered network, for a file that holds weights alone.
        input_shape: Height, width and channels of its input.
        input_range: How pixels reach it: `"0..1"`, `"-1..1"`, or `"raw"` (0 to 255).
        resize: How an image comes to its size; see `cnnblocks.data.Preprocessing`.
        class_names: The classes in the order of its output.
    """

    network: str | None = None
    input_shape: tuple[int, int, int] | None = None
    input_range: str | None = None
    resize: str | None = None
    class_names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.input_range not in (None, *_INPUT_RANGES):
            raise ModelFileError(
                f"The input range must be one of {', '.join(_INPUT_RANGES)}. "
                f"Received: {self.input_range}"
            )


@dataclass
class TrainedModel:
    """A model that can be asked about images.

    Attributes:
        model: The `keras.Model`.
        preprocessing: The way from an image to its input.
        class_names: The classes in the order of its output; `None` when nobody said.
        logits: Whether its output are logits.
        name: What to call it.
        run: The run it comes from, or `None`.
        weights: Which of the run's weights: `"best"`, `"last"` or `"epoch-0001"`.
        epoch: After which epoch; `None` when unknown.
        facts: What the file says of itself; `None` for a foreign one.
    """

    model: Any
    preprocessing: Preprocessing
    class_names: list[str] | None
    logits: bool
    name: str
    run: RunDirectory | None = None
    weights: str = ""
    epoch: int | None = None
    facts: Facts | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes in the output."""
        return int(self.model.output_shape[-1])

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """The probabilities of the classes.

        Args:
            images: As the network takes them: what `preprocessing` made of pictures.

        Returns:
            `float32`, shape `(images, classes)`; every row sums to 1. Outputs that are no
            distribution, such as those of a sigmoid, are divided by their sum.
        """
        # Every new number of images costs a compilation: let there be few.
        rows = 1 << (len(images) - 1).bit_length()
        rest = np.zeros((rows - len(images), *images.shape[1:]), images.dtype)
        padded = np.concatenate([images, rest])
        outputs = np.asarray(self.model.predict_on_batch(padded), np.float32)[: len(images)]
        if self.logits:
            outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        sums = outputs.sum(axis=1, keepdims=True)
        return outputs / np.maximum(sums, np.finfo(np.float32).tiny)


def load_trained(
    reference: str | os.PathLike,
    *,
    weights: str | None = None,
    runs_dir: str | os.PathLike | None = None,
    hints: Hints | None = None,
) -> TrainedModel:
    """Load the model of a run or of a file.

    Args:
        reference: A run, as `RunDirectory.open` takes it, or a model or weight file.
        weights: Of a run: `"best"`, `"last"` or a numbered epoch such as `"epoch-0003"`; `None`
            for those the run kept, or those it would keep now while it is not finished.
        runs_dir: Where to look for runs.
        hints: What a foreign file does not say itself.

    Raises:
        RunNotFoundError: There is no such run.
        ModelFileError: The file cannot be loaded, or more has to be said about it; the message
            says what.

    Example:

        >>> trained = load_trained("last")  # doctest: +SKIP
        >>> trained.class_names  # doctest: +SKIP
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
    """
    hints = hints or Hints()
    path = Path(reference)
    if path.is_file() or path.name.endswith(_FILES):
        return _from_file(path, hints)
    return _from_run(RunDirectory.open(reference, runs_dir), weights)


def _from_run(run: RunDirectory, weights: str | None) -> TrainedModel:
    kept = run.status.weights
    model_file = run.path / "model.keras"
    # A run that goes on still has the model of its earlier end.
    if run.status.state == "finished" and model_file.exists() and weights in (None, kept):
        trained = _from_file(model_file, Hints())
        trained.weights = kept
        best = run.status.best
        trained.epoch = best["epoch"] if best and kept == "best" else run.status.epoch
    else:
        trained = _from_checkpoint(run, weights)
    trained.run, trained.name = run, run.id
    return trained


def _from_checkpoint(run: RunDirectory, name: str | None) -> TrainedModel:
    found = {entry.name: entry for entry in run.checkpoints}
    config = TrainingConfig.from_dict(run.config)
    name = name or (config.keep if config.keep in found else "last")
    if name not in found:
        there = f"It has: {', '.join(found)}." if found else "It has none yet."
        raise ModelFileError(f"{run.id} has no weights called {name!r}. {there}")
    about = Facts.of(config)
    model = _build(about, config.precision)
    if name == "last" and config.recipe.ema is not None:
        _load_averages(model, config, found[name].weights)
    else:
        model.load_weights(found[name].weights)
    trained = _with_facts(model, about, run.id)
    trained.weights = name
    trained.epoch = checkpoint.read_progress(found[name].weights).epoch
    return trained


def _load_averages(model: Any, config: TrainingConfig, path: Path) -> None:
    """Give a model the moving average of its weights, which is what was validated."""
    if config.freeze:
        from cnnblocks.training.first_values import freeze_backbone

        freeze_backbone(model)
    model.compile(optimizer=optimizers.optimizer(config.recipe, model, 1, config.precision))
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    model.optimizer.finalize_variable_values(model.trainable_variables)


def _from_file(path: Path, hints: Hints) -> TrainedModel:
    if not path.is_file() and not path.with_name(path.name + ".index").is_file():
        raise ModelFileError(f"There is no model file {path}.")
    about = read_facts(path) if path.is_file() else None
    if about is None:
        return _from_foreign_file(path, hints)
    if path.suffix == ".keras":
        model = _load_model(path)
    else:
        model = _build(about)
        model.load_weights(path)
    return _with_facts(model, about, path.name)


def _build(about: Facts, dtype: str | None = None) -> Any:
    from cnnblocks import networks

    preprocessing = Preprocessing.from_dict(about.preprocessing)
    height, width, channels = preprocessing.input_shape
    last = preprocessing.data_format == "channels_last"
    return networks.create(
        about.network,
        input_shape=(height, width, channels) if last else (channels, height, width),
        num_classes=len(about.class_names),
        classifier_activation=about.classifier_activation,
        data_format=preprocessing.data_format,
        dtype=dtype,
        **about.network_args,
    )


def _with_facts(model: Any, about: Facts, name: str) -> TrainedModel:
    return TrainedModel(
        model=model,
        preprocessing=Preprocessing.from_dict(about.preprocessing),
        class_names=about.class_names,
        logits=about.classifier_activation is None,
        name=name,
        facts=about,
    )


def _from_foreign_file(path: Path, hints: Hints) -> TrainedModel:
    model = _build_and_load(path, hints) if hints.network else _load_model(path)
    preprocessing = _preprocessing(path, model, hints)
    names = list(hints.class_names) if hints.class_names is not None else None
    trained = TrainedModel(model, preprocessing, names, _ends_in_logits(model), path.name)
    if names is not None and len(names) != trained.num_classes:
        raise ModelFileError(
            f"{path} tells {trained.num_classes} classes apart, but {len(names)} names were given."
        )
    return trained


def _build_and_load(path: Path, hints: Hints) -> Any:
    from cnnblocks import networks
    from cnnblocks.weights import load_weights

    if hints.class_names is None:
        raise ModelFileError(
            f"How many classes {path} tells apart is not known before its network is built. Name "
            "them, one a line, with: --classes FILE"
        )
    name = str(hints.network)
    spec = networks.get(name)
    model = networks.create(
        name,
        input_shape=hints.input_shape or spec.native_input_shape,
        num_classes=len(hints.class_names),
    )
    load_weights(model, path)
    return model


def _load_model(path: Path) -> Any:
    import keras

    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelFileError(
            f"{path} cannot be loaded as a model by Keras {keras.__version__} ({reason}). If it "
            "holds weights alone, name their network with: --network NAME. Which networks fit is "
            f"told by: cnnblocks weights identify {path}"
        ) from error


def _preprocessing(path: Path, model: Any, hints: Hints) -> Preprocessing:
    if hints.input_range is None:
        raise ModelFileError(
            f"{path} does not say how pixels reach its network. Say it with --input-range: 0..1, "
            "-1..1, or raw (0 to 255). Files that cnnblocks trained say it themselves."
        )
    shape = tuple(model.input_shape[1:])
    first = len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3)
    height, width, channels = hints.input_shape or (shape[1:] + shape[:1] if first else shape)
    if None in (height, width, channels):
        raise ModelFileError(
            f"{path} takes images of any size. Choose one with --input-shape, such as 64x64x3."
        )
    return Preprocessing(
        input_shape=(height, width, channels),
        resize=hints.resize or "stretch",  # type: ignore[arg-type]
        scaling=hints.input_range,  # type: ignore[arg-type]
        data_format="channels_first" if first else "channels_last",
    )


def _ends_in_logits(model: Any) -> bool:
    activation = getattr(model.layers[-1], "activation", None)
    return getattr(activation, "__name__", "linear") == "linear"
