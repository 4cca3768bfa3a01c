"""Batches that depend on nothing but the seed, the epoch and their number."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from typing import Any

import numpy as np

from cnnblocks.data.augmentation import Augmentation, Draw
from cnnblocks.data.dataset import Split
from cnnblocks.data.errors import DataError
from cnnblocks.data.images import WORKERS
from cnnblocks.data.preprocessing import Preprocessing

_PIECE = 16
_BATCHES_AHEAD = 2


class Batches:
    """The batches of one epoch, by number or one after another.

    Images that fit are decoded and resized once, when this is made; others are read by a few
    threads, two batches ahead of what is asked for.

    Args:
        split: The images.
        batch_size: Images in a batch, over all shards together.
        preprocessing: What the network takes.
        augmentation: Random changes; for training images only.
        shuffle: Whether every epoch has its own order.
        seed: What shuffling and augmentation start from.
        epoch: Which epoch, from 1.
        start: The batch at which iteration begins, counted from 0; for going on in the middle of
            an epoch.
        steps: At most so many batches; `None` for all.
        drop_remainder: Whether to leave out a last batch that is not full.
        shard: `(index, count)`: yield only this process' rows of every batch. `count` must divide
            `batch_size`; with `drop_remainder` every shard then has equally many.
        progress: Called with the number of images done and in all while they are prepared.

    Attributes:
        readers: How many threads make batches ahead of what is asked for while iterating, where
            the images are in memory; 0, the start, for none. The batches are the same.

    Raises:
        DataError: An argument is out of range, there is no batch at all, or an image cannot be
            read.

    Example:

        >>> import cnnblocks
        >>> from cnnblocks.data import Batches, Preprocessing
        >>> train = cnnblocks.data.load("digits").train
        >>> batches = Batches(train, 32, preprocessing=Preprocessing((8, 8, 1)), shuffle=True)
        >>> len(batches), batches[0][0].shape, batches[0][1].shape
        (41, (32, 8, 8, 1), (32,))
        >>> for images, labels in batches.at_epoch(2, start=40):
        ...     print(images.shape)
        (15, 8, 8, 1)
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        preprocessing: Preprocessing,
        augmentation: Augmentation | None = None,
        shuffle: bool = False,
        seed: int = 0,
        epoch: int = 1,
        start: int = 0,
        steps: int | None = None,
        drop_remainder: bool = False,
        shard: tuple[int, int] = (0, 1),
        progress: Callable[[int, int], None] | None = None,
    ):
        _check(batch_size, seed, steps, shard)
        self.batch_size = batch_size
        self.augmentation = augmentation
        self.shuffle = shuffle
        self.seed = seed
        self.shard = shard
        full, rest = divmod(len(split), batch_size)
        available = full if drop_remainder else full + bool(rest)
        self._length = available if steps is None else min(steps, available)
        if not self._length:
            raise DataError(
                f"{len(split)} images do not make one batch of {batch_size}. "
                "Take a smaller batch size or more images."
            )
        self.split = split.prepare(preprocessing, progress)
        self.preprocessing = preprocessing.fit(self.split)
        self.readers = 0
        self._begin(epoch, start)

    def __len__(self) -> int:
        """Batches in the epoch, whatever `start` is."""
        return self._length

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index`.

        Returns:
            Images, `float32`, shape `(rows, height, width, channels)` (channels first if the
            preprocessing says so), and labels, `int32`, shape `(rows,)`.

        Raises:
            IndexError: There is no such batch.
            DataError: An image cannot be read.
        """
        return self._finish(index, self.split.read(self.positions(index), self.preprocessing))

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the batches from `start` to the last."""
        if not self.in_memory:
            return self._ahead(WORKERS, _BATCHES_AHEAD, self._submit, self._collect)
        if self.readers:
            return self._ahead(
                self.readers,
                self.readers + 1,
                lambda pool, index: pool.submit(self.__getitem__, index),
                lambda index, batch: batch.result(),
            )
        return (self[index] for index in range(self.start, len(self)))

    @property
    def in_memory(self) -> bool:
        """Whether all images are in memory at the network's size."""
        return self.split.in_memory and self.split.image_shape == self.preprocessing.input_shape

    def at_epoch(self, epoch: int, start: int = 0) -> "Batches":
        """Return the batches of another epoch, sharing the prepared images.

        Args:
            epoch: Which epoch, from 1.
            start: The batch at which iteration begins.
        """
        other = copy(self)
        other._begin(epoch, start)
        return other

    def positions(self, index: int) -> np.ndarray:
        """Return which images of the split are in this shard's rows of batch `index`."""
        if not 0 <= index < len(self):
            raise IndexError(f"There are batches 0 to {len(self) - 1}. Received: {index}")
        first = index * self.batch_size
        return self.order[first : first + self.batch_size][self._rows(index)]

    def draw(self, index: int) -> Draw:
        """Return what chance decides for this shard's rows of batch `index`.

        It is drawn for the whole batch, so that shards together see what one process would.
        """
        generator = np.random.default_rng([self.seed, self.epoch, index + 1])
        augmentation = self.augmentation or Augmentation()
        drawn = augmentation.draw(self.batch_size, self.preprocessing.size, generator)
        return drawn[self._rows(index)]

    def _begin(self, epoch: int, start: int) -> None:
        if epoch < 1:
            raise DataError(f"Epochs count from 1. Received: epoch={epoch}")
        if not 0 <= start <= len(self):
            raise DataError(f"start must be 0 to {len(self)}. Received: start={start}")
        self.epoch = epoch
        self.start = start
        self.order = np.arange(len(self.split))
        if self.shuffle:
            self.order = np.random.default_rng([self.seed, epoch]).permutation(len(self.split))

    def _rows(self, index: int) -> slice:
        size = min(self.batch_size, len(self.split) - index * self.batch_size)
        number, count = self.shard
        return slice(size * number // count, size * (number + 1) // count)

    def _finish(self, index: int, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.augmentation:
            images = self.augmentation.apply(images, self.draw(index))
        return self.preprocessing.scale(images), self.split.labels[self.positions(index)]

    def _ahead(
        self,
        threads: int,
        batches: int,
        begin: Callable[[ThreadPoolExecutor, int], Any],
        finish: Callable[[int, Any], tuple[np.ndarray, np.ndarray]],
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the batches in order, so many begun before they are asked for."""
        pool = ThreadPoolExecutor(threads, "cnnblocks-data")
        begun: deque[tuple[int, Any]] = deque()
        try:
            for index in range(self.start, len(self)):
                begun.append((index, begin(pool, index)))
                if len(begun) > batches:
                    yield finish(*begun.popleft())
            while begun:
                yield finish(*begun.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _submit(self, pool: ThreadPoolExecutor, index: int) -> list[Future[np.ndarray]]:
        positions = self.positions(index)
        starts = range(0, max(1, len(positions)), _PIECE)  # a shard's rows may be none
        pieces = (positions[i : i + _PIECE] for i in starts)
        return [pool.submit(self.split.read, piece, self.preprocessing) for piece in pieces]

    def _collect(
        self, index: int, pieces: list[Future[np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray]:
        return self._finish(index, np.concatenate([piece.result() for piece in pieces]))


def _check(batch_size: int, seed: int, steps: int | None, shard: tuple[int, int]) -> None:
    if batch_size < 1:
        raise DataError(f"batch_size must be 1 or more. Received: batch_size={batch_size}")
    if seed < 0:
        raise DataError(f"seed must be 0 or more. Received: seed={seed}")
    if steps is not None and steps < 1:
        raise DataError(f"steps must be 1 or more. Received: steps={steps}")
    number, count = shard
    if not 0 <= number < count or batch_size % count:
        raise DataError(
            "shard must be (index, count) with the index below the count, and the count must "
            f"divide the batch size. Received: shard={shard}, batch_size={batch_size}"
        )
