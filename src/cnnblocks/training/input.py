"""From batches of arrays to what Keras' `fit` reads."""

import time
from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

import keras
import numpy as np

from cnnblocks.data import Augmentation, Batches, Dataset, Preprocessing, Split
from cnnblocks.data.memory import free_memory
from cnnblocks.training import devices, resident
from cnnblocks.training.distribution import Team
from cnnblocks.training.errors import TrainingError
from cnnblocks.training.recipes import Recipe

_EVALUATION_BATCH = 256

_BATCHES_AHEAD = 2

_BYTES_AT_ONCE = 8 << 20
"""How much goes to TensorFlow's queue at once: a call for each batch costs LeNet-5 a tenth more."""

_MOST_AT_ONCE = 64
"""Plans are small: without a limit an epoch would begin when all of them are made."""

_SHARE_OF_DEVICE = 0.25
"""How much of a device's free memory images may take: the network needs the rest."""


class BatchStream(keras.utils.PyDataset):
    """The batches of one epoch after another, from any step on.

    Args:
        batches: Where they come from.
        one_hot: Number of classes to spread labels over, or `None` to leave them numbers.
        copies: How often each row is repeated; see `evaluation_stream`.

    Attributes:
        seconds_busy: How long batches took to make since `at`.
    """

    def __init__(self, batches: Batches, one_hot: int | None = None, copies: int = 1):
        super().__init__()
        self.copies = copies
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

    def first_images(self) -> Any:
        """The images of the first batch, as the network takes them."""
        return self[0][0]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        began = time.perf_counter()
        images, labels = self._read(index)
        if self.one_hot:
            labels = keras.utils.to_categorical(labels, self.one_hot)
        if self.copies > 1:
            images, labels = np.repeat(images, self.copies, 0), np.repeat(labels, self.copies, 0)
        self.seconds_busy += time.perf_counter() - began
        return images, labels

    def _read(self, index: int) -> tuple[Any, Any]:
        if index != self._next:
            self._follow(index)
        self._next += 1
        return next(self._iterator)

    def _follow(self, index: int) -> None:
        """Read on from a batch: images in files are then read ahead of time."""
        self._next = index
        self._iterator = iter(self.batches.at_epoch(self.epoch, self.start + index))


class PlanStream(BatchStream):
    """The same batches for a `ResidentModel`: plans instead of images.

    Args:
        batches: Where they come from; their images are all in memory.
        one_hot: As for `BatchStream`.

    Attributes:
        images: The images, on the device.
    """

    def __init__(self, batches: Batches, one_hot: int | None = None):
        super().__init__(batches, one_hot)
        self.images = resident.ResidentImages(batches)

    def first_images(self) -> Any:
        """The images of the first batch, as the network takes them."""
        return self.images(self.images.pixels, self[0][0])

    def _read(self, index: int) -> tuple[Any, Any]:
        number = self.start + index
        positions = self._epoch.positions(number)
        return resident.plan(self._epoch, number), self._epoch.split.labels[positions]

    def _follow(self, index: int) -> None:
        self._epoch = self.batches.at_epoch(self.epoch, self.start)


def training_stream(
    dataset: Dataset, recipe: Recipe, preprocessing: Preprocessing, seed: int, team: Team
) -> BatchStream:
    """The shuffled, augmented batches of a recipe: this process' rows of them."""
    rest_is_shared = not team.equal_shares or len(dataset.train) % recipe.batch_size == 0
    batches = Batches(
        dataset.train,
        recipe.batch_size,
        preprocessing=preprocessing,
        augmentation=Augmentation(**recipe.augmentation),
        shuffle=True,
        seed=seed,
        drop_remainder=(recipe.drop_remainder or not rest_is_shared)
        and len(dataset.train) >= recipe.batch_size,
        shard=team.shard,
    )
    return BatchStream(batches, _one_hot(dataset, recipe))


def evaluation_stream(
    split: Split | None,
    dataset: Dataset,
    recipe: Recipe,
    preprocessing: Preprocessing,
    team: Team | None = None,
) -> BatchStream | None:
    """The batches of images to measure by, in their order; `None` where there are none.

    Devices that need equal shares cannot share what does not divide evenly. Then every one of them
    measures all images, which gives the same figures.
    """
    team = team or Team()
    if split is None:
        return None
    batch_size = _even(len(split), max(recipe.batch_size, _EVALUATION_BATCH))
    if team.equal_shares and len(split) % team.devices == 0:
        batch_size = -(-batch_size // team.devices) * team.devices
        batches = Batches(split, batch_size, preprocessing=preprocessing, shard=team.shard)
        return BatchStream(batches, _one_hot(dataset, recipe))
    batches = Batches(split, batch_size, preprocessing=preprocessing)
    return BatchStream(batches, _one_hot(dataset, recipe), team.copies)


def feed(stream: BatchStream | None, team: Team | None = None) -> Any:
    """What Keras' `fit` and `evaluate` read a stream through.

    TensorFlow on one device gets a queue without automatic tuning. With it, which Keras turns on,
    an epoch often waits at its end for the tuning thread's next turn: those come 10 ms, 30 ms,
    70 ms and so on after its start, so that it takes up to twice as long (TensorFlow 2.21).
    """
    several = team is not None and team.several
    if stream is None or several or keras.backend.backend() != "tensorflow":
        return stream
    import tensorflow as tf

    first = stream[0]
    fitting = _BYTES_AT_ONCE // sum(array.nbytes for array in first)
    at_once = min(max(1, fitting), _MOST_AT_ONCE)

    def groups() -> Iterator[tuple[Any, ...]]:
        return _stacked((stream[index] for index in range(stream.num_batches)), at_once)

    signature = keras.tree.map_structure(
        lambda array: tf.TensorSpec((None, None, *array.shape[1:]), array.dtype), first
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    queue = tf.data.Dataset.from_generator(groups, output_signature=signature).prefetch(1).unbatch()
    # Keras takes the number of steps from it.
    counted = queue.apply(tf.data.experimental.assert_cardinality(stream.num_batches))
    return counted.prefetch(_BATCHES_AHEAD).with_options(options)


def _stacked(batches: Iterable[tuple[Any, ...]], at_once: int) -> Iterator[tuple[Any, ...]]:
    """Yield up to so many batches of equal shapes as one, with a new dimension in front."""
    group: list[tuple[Any, ...]] = []
    for batch in batches:
        if group and (len(group) == at_once or batch[0].shape != group[0][0].shape):
            yield tuple(map(np.stack, zip(*group)))
            group = []
        group.append(batch)
    if group:
        yield tuple(map(np.stack, zip(*group)))


def settle_input(
    wanted: str, streams: list[BatchStream], names: list[str], backend: str, team: Team
) -> str:
    """Settle where the images of a training are.

    Args:
        wanted: `"host"`, `"device"` or `"auto"`, which is `"device"` where the free memory holds
            all images four times and choosing them within the step is faster: on one GPU with JAX
            and PyTorch, on a CPU with TensorFlow.
        streams: The batches of training and validation.
        names: Keras' names of the devices, such as `["gpu:0"]`.
        backend: Keras' backend.
        team: Who shares the batches.

    Returns:
        `"host"` or `"device"`.

    Raises:
        TrainingError: `"device"` is asked for and not possible.
    """
    obstacle = _obstacle(streams, team)
    if wanted == "device" and obstacle:
        raise TrainingError(f"--input device: {obstacle}. Use --input host.")
    if wanted != "auto":
        return wanted
    on_gpu = names[0].startswith("gpu")
    if obstacle or on_gpu == (backend == "tensorflow"):
        return "host"
    needed = sum(len(s.batches.split) * prod(s.batches.preprocessing.input_shape) for s in streams)
    free = devices.free_memory(backend) if on_gpu else free_memory()
    return "device" if needed <= _SHARE_OF_DEVICE * free else "host"


def _obstacle(streams: list[BatchStream], team: Team) -> str:
    if team.several:
        return "several devices share every batch"
    if not all(stream.batches.in_memory for stream in streams):
        return "the images at the network's size do not fit into this machine's memory"
    return ""


def _one_hot(dataset: Dataset, recipe: Recipe) -> int | None:
    return len(dataset.class_names) if recipe.label_smoothing else None


def _even(images: int, at_most: int) -> int:
    """A batch size that leaves the last batch as full as possible: shapes cost compilations."""
    return -(-images // -(-images // at_most))
