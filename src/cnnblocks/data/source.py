"""What every source of images yields, and the checks that all of them share."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cnnblocks.data.errors import DataError
from cnnblocks.data.images import ArrayImages, Images


@dataclass
class Part:
    """Images and their labels, as a source has them.

    Args:
        images: Where the images are.
        labels: `int32`, shape `(images,)`.
    """

    images: Images
    labels: np.ndarray


@dataclass
class Source:
    """A source's images, as it divides them itself.

    Args:
        name: Short name.
        location: What finds it again: a known name or an absolute path.
        class_names: The classes' names.
        train: Images to train on.
        test: Images to measure by, if the source sets some apart.
        validation: Images to choose by, if the source sets some apart.
        notes: What one should know.
        skipped: Files left out.
    """

    name: str
    location: str
    class_names: tuple[str, ...]
    train: Part
    test: Part | None = None
    validation: Part | None = None
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Refuse what cannot be trained on.

        Raises:
            DataError: Fewer than two classes, a class without training images, or a label that
                is no class.
        """
        for split, part in self._parts().items():
            _check_labels(part.labels, len(self.class_names), f"{self.location} ({split})")
        if len(self.class_names) < 2:
            raise DataError(
                f"{self.location} has one class only ({', '.join(self.class_names)}). "
                "Telling images apart takes two classes or more."
            )
        counts = np.bincount(self.train.labels, minlength=len(self.class_names))
        empty = [name for name, count in zip(self.class_names, counts) if not count]
        if empty:
            raise DataError(
                f"{self.location}: no training images for class {', '.join(empty[:5])}"
                f"{' and others' if len(empty) > 5 else ''}. "
                "Add some, or leave the class out and number the others without a gap."
            )

    def _parts(self) -> dict[str, Part]:
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: part for split, part in parts.items() if part is not None}


def part_of_arrays(images: np.ndarray, labels: np.ndarray, where: str) -> Part:
    """Check a pair of arrays and bring them to one form.

    Args:
        images: Shape `(n, height, width)`, `(n, height, width, channels)` or
            `(n, channels, height, width)`, with 1 or 3 channels; integers 0 to 255, or floats
            0 to 1 or 0 to 255.
        labels: Whole numbers, shape `(n,)` or `(n, 1)`, or one-hot, shape `(n, classes)`.
        where: What to call them in errors.

    Raises:
        DataError: Shapes, lengths or values are not those.
    """
    if len(images) != len(labels):
        raise DataError(f"{where}: {len(images)} images but {len(labels)} labels.")
    if not len(images):
        raise DataError(f"{where}: no images.")
    return Part(ArrayImages(_as_bytes(_channels_last(images, where), where)), _flat(labels, where))


def numbered(labels: Sequence[np.ndarray]) -> tuple[str, ...]:
    """Name classes by their numbers, up to the largest label.

    Example:

        >>> numbered([np.array([0, 2])])
        ('0', '1', '2')
    """
    return tuple(str(i) for i in range(1 + max(0, *(int(part.max()) for part in labels))))


def _check_labels(labels: np.ndarray, classes: int, where: str) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise DataError(
            f"{where}: labels must be whole numbers from 0, below the number of classes, "
            f"{classes}. "
            f"Received: {labels[wrong[0]]} at position {wrong[0]}"
        )


def _channels_last(images: np.ndarray, where: str) -> np.ndarray:
    if images.ndim == 3:
        return images[..., None]
    if images.ndim == 4 and images.shape[3] in (1, 3):
        return images
    if images.ndim == 4 and images.shape[1] in (1, 3):
        return images.transpose(0, 2, 3, 1)
    raise DataError(
        f"{where}: images must have the shape (images, height, width) or (images, height, width, "
        f"channels) with 1 or 3 channels. Received: {images.shape}"
    )


def _as_bytes(images: np.ndarray, where: str) -> np.ndarray:
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255)
    if images.dtype.kind not in "iuf":
        raise DataError(f"{where}: pixels must be numbers. Received: {images.dtype}")
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 255):
        raise DataError(
            f"{where}: pixels must be 0 to 255, or 0 to 1 as floats. "
            f"Received: {low} to {high}. Save the images before any standardization."
        )
    factor = 255 if images.dtype.kind == "f" and high <= 1 else 1
    return np.rint(images * factor).astype(np.uint8)


def _flat(labels: np.ndarray, where: str) -> np.ndarray:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(1) == 1):
        labels = labels.argmax(axis=1)
    if labels.ndim != 1:
        raise DataError(
            f"{where}: labels must have the shape (images,), or be one-hot. "
            f"Received: {labels.shape}"
        )
    if labels.dtype.kind not in "iu" and not _whole(labels):
        raise DataError(f"{where}: labels must be whole numbers. Received: {labels.dtype}")
    if np.abs(labels.astype(np.int64)).max() > np.iinfo(np.int32).max:
        raise DataError(f"{where}: labels must be small whole numbers. Received: {labels.max()}")
    return labels.astype(np.int32)


def _whole(labels: np.ndarray) -> bool:
    return labels.dtype.kind == "f" and bool(np.all(np.mod(labels, 1) == 0))
