"""Labelled images, divided into training, validation and test."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from cnnblocks.data import cache
from cnnblocks.data.errors import DataError
from cnnblocks.data.images import WORKERS, ArrayImages, Images, as_array
from cnnblocks.data.memory import image_budget
from cnnblocks.data.preprocessing import Preprocessing

_CHUNK = 256
_WORTH_KEEPING = 500


class Split:
    """Images with their labels, in memory or in files.

    Args:
        images: Where the images are.
        labels: The class of each of `images`, `0` to `len(class_names) - 1`.
        class_names: The classes' names.
        indices: Which of them this split holds, in order; `None` for all.
        memory: How many bytes of its images may be kept in memory; `None` for half of what is free
            when it is asked.

    Example:

        >>> import cnnblocks
        >>> split = cnnblocks.data.load("digits").train
        >>> len(split), split.image_shape, split.class_names[3]
        (1295, (8, 8, 1), '3')
    """

    def __init__(
        self,
        images: Images,
        labels: np.ndarray,
        class_names: Sequence[str],
        indices: np.ndarray | None = None,
        memory: int | None = None,
    ):
        self.indices = np.arange(len(labels)) if indices is None else indices
        self.labels = np.asarray(labels, np.int32)[self.indices]
        self._every_label = labels
        self.class_names = tuple(class_names)
        self.memory = memory
        self._images = images

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def image_shape(self) -> tuple[int | None, int | None, int]:
        """`(height, width, channels)`; `None` where the images differ."""
        return self._images.shape

    @property
    def in_memory(self) -> bool:
        """Whether the images are in memory."""
        return self._images.in_memory

    @property
    def array(self) -> np.ndarray:
        """All images, `uint8`, shape `(images, height, width, channels)`.

        Raises:
            DataError: The images are in files; see `prepare`.
        """
        if not isinstance(self._images, ArrayImages):
            raise DataError("These images are in files; prepare(preprocessing) reads what fits.")
        if len(self) == len(self._images) and np.array_equal(self.indices, np.arange(len(self))):
            return self._images.array
        return self._images.array[self.indices]

    @property
    def class_counts(self) -> np.ndarray:
        """How many images each class has, shape `(classes,)`."""
        return np.bincount(self.labels, minlength=len(self.class_names))

    def path(self, position: int) -> Path | None:
        """Return the file of the image at `position`, or `None` for images that have none."""
        if isinstance(self._images, ArrayImages):
            return None
        return self._images.path(self.indices[position])

    def images(self, positions: np.ndarray | Sequence[int]) -> list[np.ndarray]:
        """Return images as they are, each `uint8` of shape `(height, width, 1 or 3)`.

        Args:
            positions: Which ones, counted in this split.
        """
        images = self._images.read(self.indices[np.asarray(positions, np.int64)])
        return list(images) if isinstance(images, np.ndarray) else [as_array(i) for i in images]

    def read(self, positions: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
        """Return images at the network's size, not yet scaled.

        Args:
            positions: Which ones, counted in this split.
            preprocessing: What the network takes.

        Returns:
            `uint8`, shape `(len(positions), height, width, channels)`.

        Raises:
            DataError: A file cannot be read.
        """
        images = self._images.read(self.indices[positions], preprocessing.size)
        return preprocessing.fit_size(images)

    def subset(self, positions: np.ndarray) -> "Split":
        """Return a split with only the images at `positions`, in this order, sharing memory."""
        return Split(
            self._images,
            self._every_label,
            self.class_names,
            self.indices[positions],
            self.memory,
        )

    def prepare(
        self,
        preprocessing: Preprocessing,
        progress: Callable[[int, int], None] | None = None,
    ) -> "Split":
        """Decode and resize once what would otherwise be done in every epoch, if it fits.

        What was decoded from many files is kept on disk for the next time (see
        `cnnblocks.data.cache`), until a file's size or time of change is another.

        Args:
            preprocessing: What the network takes.
            progress: Called with the number of images done and in all.

        Returns:
            A split in memory at the network's size; or this one, if it is that already or would
            not fit.

        Raises:
            DataError: A file cannot be read.
        """
        if self.in_memory and self.image_shape == preprocessing.input_shape:
            return self
        needed = len(self) * int(np.prod(preprocessing.input_shape))
        if needed > (image_budget() if self.memory is None else self.memory):
            return self
        array = self._prepared(preprocessing, progress)
        return Split(ArrayImages(array), self.labels, self.class_names, memory=self.memory)

    def sample(self, per_class: int, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
        """Pick some images of every class to look at.

        Args:
            per_class: How many of each class; fewer where there are fewer.
            seed: Which ones.

        Returns:
            The images as they are, each `uint8` of shape `(height, width, 1 or 3)`, and their
            labels, class by class.

        Example:

            >>> import cnnblocks
            >>> images, labels = cnnblocks.data.load("digits").train.sample(2)
            >>> labels[:4].tolist()
            [0, 0, 1, 1]
        """
        generator = np.random.default_rng(seed)
        shuffled = generator.permutation(len(self))
        groups = (shuffled[self.labels[shuffled] == c] for c in range(len(self.class_names)))
        chosen = np.concatenate([group[:per_class] for group in groups])
        return self.images(chosen), self.labels[chosen]

    def fingerprint(self) -> str:
        """Return a digest that tells whether these are still the same images and labels.

        Of images in memory every pixel counts; of files the names, the sizes and the contents of
        a few of them. Where the folder lies and when it was copied does not matter.
        """
        digest = hashlib.blake2b(self.labels.astype("<i4").tobytes(), digest_size=16)
        digest.update("\0".join(self.class_names).encode())
        digest.update(self._images.digest(self.indices))
        return digest.hexdigest()

    def _prepared(
        self, preprocessing: Preprocessing, progress: Callable[[int, int], None] | None
    ) -> np.ndarray:
        array = np.empty((len(self), *preprocessing.input_shape), np.uint8)
        if isinstance(self._images, ArrayImages) or len(self) < _WORTH_KEEPING:
            self._fill(array, preprocessing, progress)
            return array
        how = f"1 {PIL.__version__} {preprocessing.input_shape} {preprocessing.resize}"
        key = self._images.version(self.indices, how)
        if not cache.read(key, array):
            self._fill(array, preprocessing, progress)
            cache.write(key, array)
        return array

    def _fill(
        self,
        array: np.ndarray,
        preprocessing: Preprocessing,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        def fill(start: int) -> int:
            rows = array[start : start + _CHUNK]
            rows[...] = self.read(np.arange(start, start + len(rows)), preprocessing)
            return len(rows)

        done = 0
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                for count in pool.map(fill, range(0, len(self), _CHUNK)):
                    done += count
                    if progress:
                        progress(done, len(self))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


@dataclass(frozen=True)
class Dataset:
    """A source of images, ready to train on.

    Args:
        name: Short name, such as `"digits"` or a folder's.
        source: What finds it again: the name of a known source, or an absolute path.
        class_names: The classes' names, in the order of the labels.
        train: Images to train on.
        validation: Images to choose by while training, or `None`.
        test: Images to measure by, once, at the end.
        notes: What one should know: what was held out, from where, what is missing.
        skipped: Files left out because they cannot be read, when that was asked for.
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    train: Split
    validation: Split | None
    test: Split
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int | None, int | None, int]:
        """`(height, width, channels)` of the training images; `None` where they differ."""
        return self.train.image_shape

    @property
    def splits(self) -> dict[str, Split]:
        """The splits there are, by name."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in splits.items() if split is not None}

    def to_dict(self) -> dict[str, Any]:
        """Describe the data set as plain data that JSON can hold.

        Example:

            >>> import cnnblocks
            >>> cnnblocks.data.load("digits").to_dict()["image_shape"]
            [8, 8, 1]
        """
        return {
            "schema": 1,
            "name": self.name,
            "source": self.source,
            "image_shape": list(self.image_shape),
            "in_memory": self.train.in_memory,
            "classes": self._classes(),
            "splits": {name: len(split) for name, split in self.splits.items()},
            "notes": list(self.notes),
            "skipped": list(self.skipped),
        }

    def _classes(self) -> list[dict[str, Any]]:
        counts = {name: split.class_counts.tolist() for name, split in self.splits.items()}
        return [
            {"name": label, **{name: count[i] for name, count in counts.items()}}
            for i, label in enumerate(self.class_names)
        ]
