"""Handing a trained model to other programs."""

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cnnblocks.runs import replacing, write_json
from cnnblocks.training import facts
from cnnblocks.training.errors import TrainingError
from cnnblocks.training.trained import Hints, TrainedModel, load_trained

SUFFIXES = {
    "savedmodel": "-savedmodel",
    "onnx": ".onnx",
    "litert": ".tflite",
    "keras": ".keras",
    "weights": ".weights.h5",
}

# Keras imports these only when it exports, each with a message of its own kind.
_NEEDS = {
    ("savedmodel", "jax"): ("tensorflow",),
    ("savedmodel", "torch"): ("tensorflow", "torch_xla"),
    ("onnx", "tensorflow"): ("onnx", "tf2onnx"),
    ("onnx", "jax"): ("jax2onnx",),
    ("onnx", "torch"): ("onnx", "onnxscript"),
    ("litert", "jax"): ("tensorflow",),
    ("litert", "torch"): ("litert_torch",),
}

_ANY_SIZE = 64
"""Height and width of the image that a model is shown which takes images of any size."""


class ExportError(TrainingError):
    """A model cannot be exported in the way asked for."""


def export(
    reference: str | os.PathLike,
    to: str,
    output: str | os.PathLike | None = None,
    *,
    weights: str | None = None,
    force: bool = False,
    runs_dir: str | os.PathLike | None = None,
    hints: Hints | None = None,
) -> Path:
    """Write a model in another program's format.

    Class names and preprocessing go along: inside Keras' own files, in `assets.extra/` of a
    SavedModel, and in a `.json` beside everything else.

    Args:
        reference: A run or a model file; see `load_trained`.
        to: `"savedmodel"`, `"onnx"`, `"litert"`, `"keras"` or `"weights"`.
        output: What to write; `None` for the model's name in the current directory.
        weights: Which of a run's weights; see `load_trained`.
        force: Whether to replace what is there.
        runs_dir: Where to look for runs.
        hints: What a foreign file does not say itself.

    Returns:
        The file, or the directory of a SavedModel.

    Raises:
        ExportError: The format is unknown, a package that it needs is missing, Keras cannot
            export this model to it, or `output` is there already.

    Example:

        >>> export("last", "onnx", "lenet5.onnx")  # doctest: +SKIP
        PosixPath('lenet5.onnx')
    """
    if to not in SUFFIXES:
        raise ExportError(f"The format must be one of {', '.join(SUFFIXES)}. Received: {to!r}")
    _check_packages(to)
    trained = load_trained(reference, weights=weights, runs_dir=runs_dir, hints=hints)
    path = Path(output or _stem(trained) + SUFFIXES[to])
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise ExportError(f"{path} is a directory and no SavedModel. Name another to write.")
    if path.exists() and not force:
        raise ExportError(f"{path} is there already. Replace it with --force.")
    if to in ("keras", "weights") and not path.name.endswith(SUFFIXES[to]):
        raise ExportError(f"Keras wants a name that ends with {SUFFIXES[to]}. Received: {path}")
    try:
        _WRITERS[to](trained, path)
    except OSError as error:
        raise ExportError(f"Cannot write {path}: {error.strerror or error}") from error
    return path


def _check_packages(to: str) -> None:
    import keras

    backend = keras.config.backend()
    missing = [name for name in _NEEDS.get((to, backend), ()) if find_spec(name) is None]
    if missing:
        raise ExportError(
            f"Exporting to {to} on the {backend} backend needs {' and '.join(missing)}. "
            f"Install with: pip install {' '.join(missing)}"
        )


def _stem(trained: TrainedModel) -> str:
    name = trained.name
    for suffix in (".weights.h5", ".keras", ".h5"):
        name = name.removesuffix(suffix)
    return name


def _savedmodel(trained: TrainedModel, path: Path) -> None:
    aside = path.with_name(f".writing-{path.name}")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        _export(trained.model, aside, "tf_saved_model")
        extra = aside / "assets.extra"
        extra.mkdir()
        write_json(extra / facts.MEMBER, _about(trained))
        shutil.rmtree(path, ignore_errors=True)
        aside.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _foreign(name: str) -> Callable[[TrainedModel, Path], None]:
    def write(trained: TrainedModel, path: Path) -> None:
        with replacing(path) as aside:
            _export(trained.model, aside, name)
        write_json(path.with_name(path.name + ".json"), _about(trained))

    return write


def _keras(trained: TrainedModel, path: Path) -> None:
    with replacing(path) as aside:
        trained.model.save(aside)
        _attach(trained, aside)


def _weights(trained: TrainedModel, path: Path) -> None:
    with replacing(path) as aside:
        trained.model.save_weights(aside)
        _attach(trained, aside)


_WRITERS: dict[str, Callable[[TrainedModel, Path], None]] = {
    "savedmodel": _savedmodel,
    "onnx": _foreign("onnx"),
    "litert": _foreign("litert"),
    "keras": _keras,
    "weights": _weights,
}


def _export(model: Any, path: Path, name: str) -> None:
    import keras

    # Keras refuses to export a model that was loaded and never called.
    model(keras.ops.zeros([1, *(size or _ANY_SIZE for size in model.input_shape[1:])]))
    try:
        model.export(path, format=name, verbose=False)
    except ImportError as error:
        raise ExportError(f"Exporting to {name} needs a package that is missing: {error}") from None
    except (ValueError, NotImplementedError, RuntimeError) as error:
        raise ExportError(f"Keras cannot export this model to {name}: {error}") from error


def _attach(trained: TrainedModel, path: Path) -> None:
    if trained.facts is not None:
        facts.attach(path, trained.facts)


def _about(trained: TrainedModel) -> dict[str, Any]:
    return {
        "class_names": trained.class_names,
        "preprocessing": trained.preprocessing.to_dict(),
        "outputs": "logits" if trained.logits else "probabilities",
    }
