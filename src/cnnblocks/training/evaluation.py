"""How well a trained model does on images it never saw."""

import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnblocks.data import Batches, Dataset, Split
from cnnblocks.data import load as load_data
from cnnblocks.paths import expanded
from cnnblocks.runs import SCHEMA, EventWriter, write_json
from cnnblocks.training.config import TrainingConfig
from cnnblocks.training.errors import TrainingError
from cnnblocks.training.prediction import Prediction, predict
from cnnblocks.training.trained import Hints, TrainedModel, load_trained

__all__ = [
    "ClassScore",
    "Evaluation",
    "EvaluationError",
    "Mistake",
    "Prediction",
    "assess",
    "evaluate",
    "measure",
    "predict",
]

SPLITS = ("test", "validation", "train")
_BATCH = 256
_WORST = 36
_SMALLEST = 1e-7


class EvaluationError(TrainingError, ValueError):
    """The model and the images do not fit each other."""


@dataclass(frozen=True)
class ClassScore:
    """How well one class is told from the others.

    Attributes:
        name: The class.
        precision: The share of the images taken for it that are of it.
        recall: The share of its images that are taken for it.
        f1: The harmonic mean of the two.
        images: How many images of it there are.
    """

    name: str
    precision: float
    recall: float
    f1: float
    images: int


@dataclass(frozen=True)
class Mistake:
    """An image taken for another class than it is of.

    Attributes:
        position: Which image of the split, from 0.
        path: Its file; `None` for images that have none.
        truth: Its class.
        prediction: The class it was taken for.
        probability: Of that class.
        truth_probability: Of its own class.
    """

    position: int
    path: str | None
    truth: str
    prediction: str
    probability: float
    truth_probability: float


@dataclass(frozen=True)
class Evaluation:
    """What came out of showing images to a model.

    Attributes:
        model: The run or file.
        weights: Which of a run's weights.
        epoch: After which epoch.
        data: The data's name.
        split: `"test"`, `"validation"` or `"train"`.
        images: How many there were.
        accuracy: The share that was right.
        top_5_accuracy: The share whose class was among the five most probable; `None` when there
            are no more than five classes.
        loss: Mean cross-entropy.
        per_class: A score for every class.
        confusion: How many images of the class of the row were taken for that of the column.
        mistakes: The worst ones, where the right class was least probable.
    """

    model: str
    weights: str
    epoch: int | None
    data: str
    split: str
    images: int
    accuracy: float
    top_5_accuracy: float | None
    loss: float
    per_class: list[ClassScore]
    confusion: list[list[int]]
    mistakes: list[Mistake]

    @property
    def class_names(self) -> list[str]:
        """The classes in the order of rows and columns."""
        return [score.name for score in self.per_class]

    @property
    def metrics(self) -> dict[str, float]:
        """The figures for all classes together."""
        found = {"accuracy": self.accuracy, "loss": self.loss}
        if self.top_5_accuracy is not None:
            found["top_5_accuracy"] = self.top_5_accuracy
        return found

    @property
    def file_stem(self) -> str:
        """The name of the files it is written to, such as `digits-best`."""
        parts = [self.data, *([] if self.split == "test" else [self.split]), self.weights]
        return "-".join(re.sub(r"[^\w.]+", "_", part) for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """The evaluation as a JSON object."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "weights": self.weights,
            "epoch": self.epoch,
            "data": self.data,
            "split": self.split,
            "images": self.images,
            "metrics": self.metrics,
            "classes": self.class_names,
            "per_class": [asdict(score) for score in self.per_class],
            "confusion": self.confusion,
            "mistakes": [asdict(mistake) for mistake in self.mistakes],
        }


def evaluate(
    reference: str | os.PathLike,
    data: str | os.PathLike | None = None,
    *,
    split: str = "test",
    weights: str | None = None,
    output: str | os.PathLike | None = None,
    runs_dir: str | os.PathLike | None = None,
    hints: Hints | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Show a model images whose classes are known, and count.

    The result of a run is written to its `evaluation` directory, if it is this user's: figures
    (`.json`), confusion matrix (`.csv`, `.png`) and the worst mistakes (`-mistakes.png`).

    Args:
        reference: A run or a model file; see `load_trained`.
        data: The images, as `cnnblocks.data.load` takes them; `None` for those of the run.
        split: `"test"`, `"validation"` or `"train"`.
        weights: Which of a run's weights; see `load_trained`.
        output: A directory to write the same files to.
        runs_dir: Where to look for runs.
        hints: What a foreign file does not say itself.
        progress: Called with the number of images done and in all.

    Raises:
        EvaluationError: The images' classes are not the model's, or there is no such split.
        CnnblocksError: The model or the data cannot be read.

    Example:

        >>> evaluate("last").accuracy  # doctest: +SKIP
        0.9777
    """
    _check_split(split)
    trained = load_trained(reference, weights=weights, runs_dir=runs_dir, hints=hints)
    dataset = _dataset(trained, data)
    found = assess(trained, dataset, split, progress)
    _write(found, dataset.splits[split], trained, output)
    return found


def assess(
    trained: TrainedModel,
    dataset: Dataset,
    split: str = "test",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Show a loaded model the images of a loaded data set, and count; nothing is written.

    Args:
        trained: The model.
        dataset: The images.
        split: `"test"`, `"validation"` or `"train"`.
        progress: Called with the number of images done and in all.

    Raises:
        EvaluationError: The images' classes are not the model's, or there is no such split.
    """
    chosen = dataset.splits.get(split)
    if chosen is None:
        raise EvaluationError(
            f"{dataset.name} has no {split} images. It has: {', '.join(dataset.splits)}."
        )
    names = trained.class_names or list(dataset.class_names)
    labels = _labels(chosen, names, trained)
    probabilities = _predict(trained, chosen, progress)
    return replace(
        measure(probabilities, labels, names, chosen),
        model=trained.name,
        weights=trained.weights,
        epoch=trained.epoch,
        data=dataset.name,
        split=split,
    )


def measure(
    probabilities: np.ndarray, labels: np.ndarray, class_names: list[str], split: Split
) -> Evaluation:
    """Compare predictions with the truth.

    Args:
        probabilities: Shape `(images, classes)`, rows that sum to 1.
        labels: The class of each image, shape `(images,)`.
        class_names: The classes.
        split: The images.

    Returns:
        An evaluation without the names of model and data.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    classes = np.arange(len(class_names))
    predicted = probabilities.argmax(axis=1)
    of_truth = probabilities[np.arange(len(labels)), labels]
    scores = precision_recall_fscore_support(labels, predicted, labels=classes, zero_division=0)
    return Evaluation(
        model="",
        weights="",
        epoch=None,
        data="",
        split="",
        images=len(labels),
        accuracy=float((predicted == labels).mean()),
        top_5_accuracy=_top_5(probabilities, labels),
        loss=float(-np.log(np.maximum(of_truth, _SMALLEST)).mean()),
        per_class=[
            ClassScore(name, float(precision), float(recall), float(f1), int(images))
            for name, precision, recall, f1, images in zip(class_names, *scores, strict=True)
        ],
        confusion=confusion_matrix(labels, predicted, labels=classes).tolist(),
        mistakes=_worst_mistakes(probabilities, labels, class_names, split),
    )


def _top_5(probabilities: np.ndarray, labels: np.ndarray) -> float | None:
    if probabilities.shape[1] <= 5:
        return None
    five = np.argpartition(probabilities, -5, axis=1)[:, -5:]
    return float((five == labels[:, None]).any(axis=1).mean())


def _worst_mistakes(
    probabilities: np.ndarray, labels: np.ndarray, names: list[str], split: Split
) -> list[Mistake]:
    predicted = probabilities.argmax(axis=1)
    of_truth = probabilities[np.arange(len(labels)), labels]
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(of_truth[wrong], kind="stable")][:_WORST]
    return [
        Mistake(
            position=int(position),
            path=str(path) if (path := split.path(position)) else None,
            truth=names[labels[position]],
            prediction=names[predicted[position]],
            probability=float(probabilities[position, predicted[position]]),
            truth_probability=float(of_truth[position]),
        )
        for position in worst
    ]


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise EvaluationError(f"The split must be one of {', '.join(SPLITS)}. Received: {split!r}")


def _dataset(trained: TrainedModel, data: str | os.PathLike | None) -> Dataset:
    """The data asked for; those of the run divided as they were for its training."""
    if trained.run is None:
        if data is None:
            raise EvaluationError(f"{trained.name} is a file: say what to show it with --data.")
        return load_data(Path(data) if isinstance(data, os.PathLike) else data)
    config = TrainingConfig.from_dict(trained.run.config)
    if data is not None and config.data["source"] not in (str(data), _location(data)):
        return load_data(Path(data) if isinstance(data, os.PathLike) else data)
    return load_data(
        config.data["source"],
        validation=config.recipe.validation,  # type: ignore[arg-type]
        validation_split=config.recipe.validation_split,
        seed=config.seed,
        limit=config.data["limit"],
    )


def _location(data: str | os.PathLike) -> str:
    """What a run that was trained on `data` has for its source."""
    path = expanded(data)
    return str(path.absolute()) if path.exists() else str(data)


def _labels(split: Split, names: list[str], trained: TrainedModel) -> np.ndarray:
    """The images' classes, counted as the model counts them."""
    if len(names) != trained.num_classes:
        raise EvaluationError(
            f"{trained.name} tells {trained.num_classes} classes apart, and the data have "
            f"{len(names)}. Name the model's classes, one a line, with: --classes FILE"
        )
    unknown = [name for name in split.class_names if name not in names]
    if unknown:
        raise EvaluationError(
            f"{trained.name} knows the classes {_some(names)}, but the data have "
            f"{_some(unknown)} as well."
        )
    return np.array([names.index(name) for name in split.class_names])[split.labels]


def _some(names: list[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _predict(
    trained: TrainedModel, split: Split, progress: Callable[[int, int], None] | None
) -> np.ndarray:
    batches = Batches(split, _BATCH, preprocessing=trained.preprocessing)
    found = np.empty((len(split), trained.num_classes), np.float32)
    done = 0
    for images, _ in batches:
        found[done : done + len(images)] = trained.probabilities(images)
        done += len(images)
        if progress:
            progress(done, len(split))
    return found


def _write(
    found: Evaluation, split: Split, trained: TrainedModel, output: str | os.PathLike | None
) -> None:
    run = trained.run
    if run is not None and run.writable:
        write_files(found, split, run.path / "evaluation")
        _tell(found, run.path)
    if output is not None:
        write_files(found, split, Path(output))


def _tell(found: Evaluation, run: Path) -> None:
    """Add the evaluation to the run's events."""
    about = found.to_json()
    told = {name: about[name] for name in ("data", "split", "images", "weights", "epoch")}
    with EventWriter(run / "events.jsonl") as events:
        path = f"evaluation/{found.file_stem}.json"
        events.write("evaluation", path=path, **told, metrics=found.metrics)


def write_files(found: Evaluation, split: Split, directory: Path) -> None:
    """Write figures, confusion matrix and worst mistakes into a directory, made when missing.

    Raises:
        EvaluationError: The directory cannot be written.
    """
    from cnnblocks.training import pictures

    stem = directory / found.file_stem
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_json(stem.with_name(stem.name + ".json"), found.to_json())
        pictures.write_confusion_csv(found, stem.with_name(stem.name + ".csv"))
        pictures.draw_confusion(found, stem.with_name(stem.name + ".png"))
        pictures.draw_mistakes(found, split, stem.with_name(stem.name + "-mistakes.png"))
    except OSError as error:
        raise EvaluationError(f"Cannot write to {directory}: {error.strerror or error}") from error
