"""Training on images that stay on the device: only what chance decided travels in each step.

A data set that fits into the device's memory is copied there once, as bytes. A batch is then a plan
of six numbers an image (which one, its shift, whether it is mirrored, where its hole is), drawn on
the host from (seed, epoch, batch) exactly as for images on the host, and carried out on the device
within the step.
"""

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from cnnblocks.data import Augmentation, Batches
from cnnblocks.training import shards
from cnnblocks.training.launches import several_steps

_FAR_OUTSIDE = -(2**29)
"""Below 0 with any pixel's number added; two of them still fit into 32 bits."""


class ResidentImages:
    """The images of some batches, in the device's memory.

    Args:
        batches: Batches whose images are all in memory, channels last.

    Attributes:
        pixels: All images, `uint8`, shape `(images, height, width, channels)`, on the device.

    Example:

        >>> import cnnblocks
        >>> from cnnblocks.data import Batches, Preprocessing
        >>> train = cnnblocks.data.load("digits").train
        >>> batches = Batches(train, 32, preprocessing=Preprocessing((8, 8, 1)))
        >>> resident = ResidentImages(batches)
        >>> tuple(resident(resident.pixels, plan(batches, 0)).shape)
        (32, 8, 8, 1)
    """

    def __init__(self, batches: Batches):
        self.pixels = ops.convert_to_tensor(batches.split.array)
        self.augmentation = batches.augmentation or Augmentation()
        factor, offset = batches.preprocessing.affine()
        self._factor = ops.convert_to_tensor(factor, "float32")
        self._offset = ops.convert_to_tensor(offset, "float32")

    def __call__(self, pixels: Any, plan: Any) -> Any:
        """Carry out a plan.

        Args:
            pixels: The attribute `pixels`; an argument, so that a compiled step takes it as one
                instead of holding a copy.
            plan: `int32`, shape `(rows, 6)`; see the function `plan`.

        Returns:
            Images as the network takes them: `float32`, shape `(rows, height, width, channels)`.
        """
        plan = ops.convert_to_tensor(plan)
        chosen = ops.take(pixels, plan[:, 0], axis=0)
        if self.augmentation:
            chosen = self._augmented(chosen, plan)
        return ops.cast(chosen, "float32") * self._factor + self._offset

    def _augmented(self, images: Any, plan: Any) -> Any:
        height, width = self.pixels.shape[1:3]
        rows = ops.expand_dims(ops.arange(height), 0)
        columns = ops.expand_dims(ops.arange(width), 0)
        hole = self._hole(rows, columns, plan) if self.augmentation.cutout else None
        if self.augmentation.flip:
            columns = ops.where(plan[:, 3:4] > 0, width - 1 - columns, columns)
        if self.augmentation.shift:
            rows, columns = rows + plan[:, 1:2], columns + plan[:, 2:3]
        images = self._moved(images, rows, columns)
        if hole is None:
            return images
        return ops.where(ops.expand_dims(hole, -1), self._fill, images)

    @property
    def _fill(self) -> Any:
        return ops.cast(self.augmentation.fill, "uint8")

    def _hole(self, rows: Any, columns: Any, plan: Any) -> Any:
        """Which pixels of each image its hole blanks."""
        side = self.augmentation.cutout
        starts = plan[:, 4:6] - side // 2
        across, along = (
            ops.logical_and(index >= start, index < start + side)
            for index, start in ((rows, starts[:, 0:1]), (columns, starts[:, 1:2]))
        )
        return ops.logical_and(ops.expand_dims(across, 2), ops.expand_dims(along, 1))

    def _moved(self, images: Any, rows: Any, columns: Any) -> Any:
        """Images whose pixels come from other rows and columns.

        Args:
            images: Shape `(images, height, width, channels)`.
            rows: Shape `(images, height)` or `(1, height)`.
            columns: Shape `(images, width)` or `(1, width)`.
        """
        height, width, channels = self.pixels.shape[1:4]
        pixels = ops.reshape(images, (-1, channels))
        first = ops.expand_dims(ops.arange(ops.shape(images)[0]) * height, 1)
        if not (self.augmentation.shift and self.augmentation.border == "constant"):
            rows, columns = self._inside(rows, height), self._inside(columns, width)
            return ops.take(pixels, _crossed((first + rows) * width, columns), axis=0)
        # Where outside takes part in a sum, the sum is below 0 and becomes 0: there is the fill.
        outside = [
            ops.logical_or(index < 0, index >= length)
            for index, length in ((rows, height), (columns, width))
        ]
        rows = ops.where(outside[0], _FAR_OUTSIDE, (first + rows) * width + 1)
        columns = ops.where(outside[1], _FAR_OUTSIDE, columns)
        blank = ops.broadcast_to(self._fill, (1, channels))
        pixels = ops.concatenate([blank, pixels], axis=0)
        return ops.take(pixels, ops.maximum(_crossed(rows, columns), 0), axis=0)

    def _inside(self, index: Any, length: int) -> Any:
        if self.augmentation.border == "reflect":
            index = ops.mod(index, max(1, 2 * length - 2))
            index = ops.where(index >= length, 2 * length - 2 - index, index)
        return ops.clip(index, 0, length - 1)


def _crossed(rows: Any, columns: Any) -> Any:
    """The sum of each row's number and each column's, for every image."""
    return ops.expand_dims(rows, 2) + ops.expand_dims(columns, 1)


def plan(batches: Batches, index: int) -> np.ndarray:
    """What chance decided for batch `index`, as numbers that travel to the device.

    Returns:
        `int32`, shape `(rows, 6)`: position in the split, shift down and right, whether to mirror,
        row and column of the hole's centre.
    """
    draw = batches.draw(index)
    parts = (batches.positions(index), draw.shifts, draw.flips, draw.holes)
    return np.column_stack(parts).astype(np.int32)


class ResidentModel(keras.Model):
    """A network whose training and validation take plans instead of images, or batches in parts.

    It shares layers and weights with the network it is made from, and predicts like it. With JAX,
    all steps of one execution run in one launch.

    Attributes:
        shards: Into how many parts TensorFlow splits each batch; see `cnnblocks.training.shards`.

    Args:
        network: A Functional model.
        training: The images that it is trained on; `None` where batches hold images.
        validation: Likewise those it is validated on.
    """

    def __init__(
        self,
        network: Any,
        training: ResidentImages | None = None,
        validation: ResidentImages | None = None,
    ):
        self.train_function: Any
        self.test_function: Any
        super().__init__(inputs=network.input, outputs=network.output, name=network.name)
        self.training_images: Any = training
        self.validation_images: Any = validation
        self.shards = 1

    def train_step(self, *state_and_data: Any) -> Any:
        """One step on images that a plan chooses; with JAX the model's state comes first."""
        *state, data = state_and_data
        carried_out = partial(_carried_out, self.training_images)
        if self.shards > 1:
            return shards.train_step(self, data, self.shards, carried_out)
        return super().train_step(*state, carried_out(data))

    def test_step(self, *state_and_data: Any) -> Any:
        """One step of validation on images that a plan chooses."""
        *state, data = state_and_data
        carried_out = partial(_carried_out, self.validation_images)
        if self.shards > 1:
            return shards.test_step(self, data, self.shards, carried_out)
        return super().test_step(*state, carried_out(data))

    def make_train_function(self, force: bool = False) -> None:
        """Make what `fit` calls for every execution."""
        if keras.config.backend() != "jax":
            super().make_train_function(force)
        elif self.train_function is None or force:
            self.train_function = several_steps(
                super().train_step, self.training_images, self.steps_per_execution
            )

    def make_test_function(self, force: bool = False) -> None:
        """Make what `evaluate` calls for every execution."""
        if keras.config.backend() != "jax":
            super().make_test_function(force)
        elif self.test_function is None or force:
            self.test_function = several_steps(
                super().test_step, self.validation_images, self.steps_per_execution
            )


def _carried_out(resident: ResidentImages | None, data: Any) -> Any:
    if resident is None:
        return data
    chosen, *labels = data
    return (resident(resident.pixels, chosen), *labels)
