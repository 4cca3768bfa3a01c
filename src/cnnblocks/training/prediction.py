"""What a trained model sees in images."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cnnblocks.data import DataError
from cnnblocks.data.images import EXTENSIONS
from cnnblocks.runs import SCHEMA
from cnnblocks.training.trained import Hints, TrainedModel, load_trained

_BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Attributes:
        path: The image file.
        classes: The most probable classes with their probabilities, most probable first.
        problem: Why the image could not be read; empty when it could.
    """

    path: str
    classes: list[tuple[str, float]]
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """The prediction as a JSON object."""
        classes = [{"class": name, "probability": share} for name, share in self.classes]
        return {
            "schema": SCHEMA,
            "path": self.path,
            "predictions": classes,
            "problem": self.problem,
        }


def predict(
    reference: str | os.PathLike | TrainedModel,
    images: Iterable[str | os.PathLike],
    *,
    top: int = 5,
    weights: str | None = None,
    runs_dir: str | os.PathLike | None = None,
    hints: Hints | None = None,
) -> Iterator[Prediction]:
    """Tell what is in image files.

    Args:
        reference: A run or a model file (see `load_trained`), or what `load_trained` returned.
        images: Files and folders; of a folder every image in it and below, in order.
        top: How many classes to name.
        weights: Which of a run's weights; see `load_trained`.
        runs_dir: Where to look for runs.
        hints: What a foreign file does not say itself.

    Yields:
        A prediction for each image in order. One that cannot be read has a `problem`.

    Raises:
        CnnblocksError: The model cannot be loaded, or a folder holds no images.

    Example:

        >>> for found in predict("last", ["seven.png"], top=1):  # doctest: +SKIP
        ...     print(found.classes)
        [('7', 0.998)]
    """
    if isinstance(reference, TrainedModel):
        trained = reference
    else:
        trained = load_trained(reference, weights=weights, runs_dir=runs_dir, hints=hints)
    names = trained.class_names or [str(number) for number in range(trained.num_classes)]
    files = iter(image_files(images))
    while batch := list(islice(files, _BATCH)):
        yield from _predict(trained, names, batch, top)


def image_files(images: Iterable[str | os.PathLike]) -> Iterator[Path]:
    """The files, and the images in the folders, that are named.

    Raises:
        DataError: A folder holds no images.
    """
    for path in map(Path, images):
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in EXTENSIONS)
        if not inside:
            raise DataError(f"There are no images in {path}.")
        yield from inside


def _predict(
    trained: TrainedModel, names: list[str], paths: list[Path], top: int
) -> Iterator[Prediction]:
    fitted, problems = [], {}
    for path in paths:
        try:
            # One at a time: only what the network takes is kept of a large picture.
            fitted.append(trained.preprocessing.fit_size(path))
        except DataError as error:
            problems[path] = str(error)
    rows: Iterator[np.ndarray] = iter(())
    if fitted:
        images = trained.preprocessing.scale(np.concatenate(fitted))
        rows = iter(trained.probabilities(images))
    for path in paths:
        if path in problems:
            yield Prediction(str(path), [], problems[path])
        else:
            yield Prediction(str(path), _most_probable(next(rows), names, top))


def _most_probable(shares: np.ndarray, names: list[str], top: int) -> list[tuple[str, float]]:
    order = np.argsort(-shares, kind="stable")[:top]
    return [(names[number], float(shares[number])) for number in order]
