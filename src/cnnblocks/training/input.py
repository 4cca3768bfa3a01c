"""From batches of arrays to what Keras' `fit` reads."""

import time
from typing import Any

import keras

from cnnblocks.data import Augmentation, Batches, Dataset, Preprocessing, Split
from cnnblocks.training.recipes import Recipe

_EVALUATION_BATCH = 256


class BatchStream(keras.utils.PyDataset):
    """The batches of one epoch after another, from any step on.

    Args:
        batches: Where they come from.
        one_hot: Number of classes to spread labels over, or `None` to leave them numbers.

    Attributes:
        seconds_busy: How long batches took to make since `at`.
    """

    def __init__(self, batches: Batches, one_hot: int | None = None):
        super().__init__()
        self.batches = batches
        self.one_hot = one_hot
        self.at(batches.epoch, batches.start)

    @property
    def steps(self) -> int:
        """Batches in a whole epoch."""
        return len(self.batches)

    @property
    def num_batches(self) -> int:
        """Batches from where this stands to the end of the epoch."""
        return len(self.batches) - self.start

    def at(self, epoch: int, start: int = 0) -> None:
        """Go to an epoch (from 1) and a batch in it (from 0)."""
        self.epoch, self.start = epoch, start
        self.seconds_busy = 0.0
        self._follow(0)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        began = time.perf_counter()
        if index != self._next:
            self._follow(index)
        images, labels = next(self._iterator)
        self._next += 1
        if self.one_hot:
            labels = keras.utils.to_categorical(labels, self.one_hot)
        self.seconds_busy += time.perf_counter() - began
        return images, labels

    def _follow(self, index: int) -> None:
        """Read on from a batch: images in files are then read ahead of time."""
        self._next = index
        self._iterator = iter(self.batches.at_epoch(self.epoch, self.start + index))


def training_stream(
    dataset: Dataset, recipe: Recipe, preprocessing: Preprocessing, seed: int
) -> BatchStream:
    """The shuffled, augmented batches of a recipe."""
    batches = Batches(
        dataset.train,
        recipe.batch_size,
        preprocessing=preprocessing,
        augmentation=Augmentation(**recipe.augmentation),
        shuffle=True,
        seed=seed,
        drop_remainder=recipe.drop_remainder and len(dataset.train) >= recipe.batch_size,
    )
    return BatchStream(batches, _one_hot(dataset, recipe))


def evaluation_stream(
    split: Split | None, dataset: Dataset, recipe: Recipe, preprocessing: Preprocessing
) -> BatchStream | None:
    """The batches of images to measure by, in their order; `None` where there are none."""
    if split is None:
        return None
    batch_size = _even(len(split), max(recipe.batch_size, _EVALUATION_BATCH))
    batches = Batches(split, batch_size, preprocessing=preprocessing)
    return BatchStream(batches, _one_hot(dataset, recipe))


def _one_hot(dataset: Dataset, recipe: Recipe) -> int | None:
    return len(dataset.class_names) if recipe.label_smoothing else None


def _even(images: int, at_most: int) -> int:
    """A batch size that leaves the last batch as full as possible: shapes cost compilations."""
    return -(-images // -(-images // at_most))
