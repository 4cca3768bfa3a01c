"""What can be computed faster than by Keras' own operations.

Keras writes batch normalization as a mean, a variance and three more operations over all images,
and their gradients likewise. TensorFlow and PyTorch have a kernel for all of it, and where channels
are few, several neighbouring pixels are faster than one; XLA makes a kernel by itself, so JAX needs
none.

Convolutions of a processor are written for many pixels. The last ones of a deep network on small
images have few pixels and many channels; those are faster as matrix products. So is what a
convolution of 1x1 is anyway.
"""

from functools import cache
from math import gcd, prod
from typing import Any

import keras
import numpy as np

_LEAST_CHANNELS = 8
"""TensorFlow's kernel takes 0.3 to 0.9 of the time on a CPU from 8 channels on, 1.4 with 6."""

_NEIGHBOURS = 8
"""How many pixels TensorFlow normalizes as one where channels are too few for its kernel."""

_LEAST_CHANNELS_LAST = 16
"""PyTorch's kernel takes 0.4 of the time with 6 channels when they are first, 2.4 with 16."""

_MOST_PIXELS = 16
"""A 3x3 convolution of 32 images with 512 channels takes, as matrix products, 0.8 (TensorFlow),
0.5 (JAX) and 0.6 (PyTorch) of the time with 4x4 pixels, 0.4, 0.03 and 0.3 with 2x2; with 6x6 no
less."""

_MOST_PIXELS_READ = 64
"""With strides of 2, 8x8 pixels to 4x4 take 0.75 of the time; 16x16 to 8x8 take 1.4."""

_MANY_CHANNELS = 256
"""From about as many channels on, in and out; with 128 it takes as long either way."""


def normalized_batch(
    images: Any, scale: Any, offset: Any, epsilon: float, axis: int
) -> tuple[Any, Any, Any] | None:
    """Normalize images by the mean and variance of their channels.

    Args:
        images: Of `float32` and four dimensions.
        scale: What the normalized channels are multiplied by, one number each.
        offset: What is added to them.
        epsilon: Small number added to the variance.
        axis: Where the channels are, -1 or 1.

    Returns:
        The normalized images, and the mean and the (biased) variance of every channel, which no
        gradient goes through; `None` where Keras' operations serve better.
    """
    normalized = {"tensorflow": _by_tensorflow, "torch": _by_torch}.get(keras.backend.backend())
    return normalized(images, scale, offset, epsilon, axis) if normalized else None


def pixels_in_a_row(images: Any) -> Any | None:
    """Lay all pixels of a batch in one row, which XLA normalizes two to four times as fast.

    Args:
        images: `(batch, height, width, channels)`.

    Returns:
        `(1, 1, pixels, channels)`, or `None` where that is of no use: it is on TensorFlow's CPU
        device, if channels are enough for its kernel. Without XLA it changes nothing there.
    """
    if keras.backend.backend() != "tensorflow" or images.shape[-1] < _LEAST_CHANNELS:
        return None
    if not _on_processor(images):
        return None
    return keras.ops.reshape(images, (1, 1, -1, images.shape[-1]))


def convolved_batch(images: Any, kernel: Any, strides: tuple[int, int], padding: str) -> Any | None:
    """Convolve images on a processor by matrix products: few pixels of many channels, or by 1x1.

    Args:
        images: `(batch, height, width, channels)`.
        kernel: `(height, width, channels, filters)`.
        strides: Down and across.
        padding: `"same"` or `"valid"`.

    Returns:
        `(batch, new_height, new_width, filters)`, or `None` where Keras' operation serves better.
    """
    if not _multiplies_well(images):
        return None
    if tuple(kernel.shape[:2]) != (1, 1):
        return _by_taps(images, kernel, strides, padding)
    if keras.backend.backend() == "torch" and strides == (1, 1):
        return None
    images = subsampled(images, strides)
    return None if images is None else multiplied(images, kernel)


def multiplied(images: Any, kernel: Any) -> Any:
    """Convolve images by 1x1, as one matrix product.

    Args:
        images: `(batch, height, width, channels)`, of a known height and width.
        kernel: `(1, 1, channels, filters)`.

    Returns:
        `(batch, height, width, filters)`.
    """
    _, height, width, channels = images.shape
    filters = kernel.shape[-1]
    ops = keras.ops
    rows = ops.reshape(images, (-1, channels))
    products = ops.matmul(rows, ops.reshape(kernel, (channels, filters)))
    return ops.reshape(products, (-1, height, width, filters))


def subsampled(images: Any, strides: tuple[int, int]) -> Any | None:
    """Leave only the pixels that a convolution of 1x1 reads.

    Args:
        images: `(batch, height, width, channels)`.
        strides: Down and across.

    Returns:
        `(batch, new_height, new_width, channels)`, or `None` where a convolution by `multiplied`
        serves no better than Keras' own.
    """
    _, height, width, _ = images.shape
    if None in (height, width) or not _multiplies_well(images):
        return None
    if strides == (1, 1):
        return images
    down, across = strides
    if keras.backend.backend() != "tensorflow":
        return images[:, ::down, ::across]
    return None if height % down or width % across else _subsampled(images, strides)


def _subsampled(images: Any, strides: tuple[int, int]) -> Any:
    """The same by TensorFlow, whose strided slice takes as long as ten convolutions by 1x1."""
    import tensorflow as tf

    _, height, width, channels = images.shape
    down, across = strides

    def spread(rows: Any, times: int) -> Any:
        """Put zeros behind every row, `times` as much as there was."""
        count, length = tf.shape(rows)[0], rows.shape[1]
        return tf.concat([rows, tf.zeros((count, (times - 1) * length), rows.dtype)], 1)

    @tf.custom_gradient
    def sample(images: Any) -> Any:
        pixels = tf.reshape(images, (-1, down, width // across, across, channels))[:, 0, :, 0]

        def gradient(upstream: Any) -> Any:
            across_spread = spread(tf.reshape(upstream, (-1, channels)), across)
            down_spread = spread(tf.reshape(across_spread, (-1, width * channels)), down)
            return tf.reshape(down_spread, (-1, height, width, channels))

        return tf.reshape(pixels, (-1, height // down, width // across, channels)), gradient

    return sample(tf.convert_to_tensor(images))


def _multiplies_well(images: Any) -> bool:
    """Whether matrix products of `images` are known to be fast."""
    return keras.backend.standardize_dtype(images.dtype) == "float32" and _on_processor(images)


def _by_taps(images: Any, kernel: Any, strides: tuple[int, int], padding: str) -> Any | None:
    """Convolve images of few pixels and many channels.

    One product with zeros and ones lays the pixels under each position of the kernel side by side,
    another one multiplies them by the kernel.
    """
    _, *size, channels = images.shape
    *kernel_size, _, filters = kernel.shape
    if None in size or min(channels, filters) < _MANY_CHANNELS or prod(size) > _MOST_PIXELS_READ:
        return None
    taps = _taps(tuple(size), tuple(kernel_size), strides, padding)
    new_size = taps.shape[:2]
    if prod(new_size) > _MOST_PIXELS:
        return None
    ops = keras.ops
    pixels = ops.reshape(images, (-1, prod(size), channels))
    windows = ops.matmul(ops.convert_to_tensor(taps.reshape(-1, prod(size))), pixels)
    rows = ops.reshape(windows, (-1, prod(kernel_size) * channels))
    return ops.reshape(
        ops.matmul(rows, ops.reshape(kernel, (-1, filters))), (-1, *new_size, filters)
    )


@cache
def _taps(
    size: tuple[int, int], kernel_size: tuple[int, int], strides: tuple[int, int], padding: str
) -> np.ndarray:
    """Return 1 where an output pixel's part of the kernel lies on an input pixel, else 0.

    By new row, new column, the kernel's row and column, row and column.
    """
    down, across = (_reach(*axis, padding) for axis in zip(size, kernel_size, strides))
    return np.einsum("yir,xjc->yxijrc", down, across)


def _reach(size: int, kernel: int, stride: int, padding: str) -> np.ndarray:
    """The same along one axis."""
    outputs = -(-size // stride) if padding == "same" else -(-(size - kernel + 1) // stride)
    before = max((outputs - 1) * stride + kernel - size, 0) // 2
    positions = np.arange(outputs)[:, None] * stride + np.arange(kernel) - before
    return np.equal(positions[..., None], np.arange(size)).astype("float32")


def _on_processor(images: Any) -> bool:
    backend = keras.backend.backend()
    if backend == "torch":
        return bool(images.device.type == "cpu")
    if backend not in ("tensorflow", "jax"):
        return False
    return keras.distribution.list_devices()[0].startswith("cpu")


def _by_tensorflow(
    images: Any, scale: Any, offset: Any, epsilon: float, axis: int
) -> tuple[Any, Any, Any] | None:
    import tensorflow as tf

    channels = images.shape[-1]
    if axis == 1:
        return None
    if channels < _LEAST_CHANNELS:
        return _of_few_channels(images, scale, offset, epsilon)
    # Not tf.nn.fused_batch_norm, which takes no epsilon below 1.001e-5.
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images, scale=scale, offset=offset, mean=[], variance=[], epsilon=epsilon
    )
    count = tf.cast(tf.size(images, tf.int64) // channels, variance.dtype)
    return outputs, mean, variance * (count - 1) / count


def _of_few_channels(
    images: Any, scale: Any, offset: Any, epsilon: float
) -> tuple[Any, Any, Any] | None:
    """Normalize several neighbouring pixels as one: loops over a few channels are slow."""
    import tensorflow as tf

    _, height, width, channels = images.shape
    if height is None or width is None:
        return None
    neighbours = gcd(height * width, _NEIGHBOURS)
    row = neighbours * channels

    def total(rows: Any) -> Any:
        return tf.reduce_sum(tf.reshape(tf.reduce_sum(rows, 0), (neighbours, channels)), 0)

    def spread(values: Any) -> Any:
        return tf.tile(values, (neighbours,))

    @tf.custom_gradient
    def normalize(images: Any, scale: Any, offset: Any) -> Any:
        shape, count = tf.shape(images), tf.cast(tf.size(images) // channels, images.dtype)
        rows = tf.reshape(images, (-1, row))
        mean = total(rows) / count
        centred = rows - spread(mean)
        variance = total(tf.square(centred)) / count
        factor = tf.math.rsqrt(variance + epsilon)
        outputs = centred * spread(scale * factor) + spread(offset)

        def gradients(upstream: Any, *_: Any) -> tuple[Any, Any, Any]:
            upstream = tf.reshape(upstream, (-1, row))
            by_offset = total(upstream)
            by_scale = total(upstream * centred) * factor
            by_images = (
                upstream * spread(scale * factor)
                - centred * spread(scale * factor * factor * by_scale / count)
                - spread(scale * factor * by_offset / count)
            )
            return tf.reshape(by_images, shape), by_scale, by_offset

        return (tf.reshape(outputs, shape), mean, variance), gradients

    tensors = (tf.convert_to_tensor(value) for value in (images, scale, offset))
    normalized: tuple[Any, Any, Any] = normalize(*tensors)
    return normalized


def _by_torch(
    images: Any, scale: Any, offset: Any, epsilon: float, axis: int
) -> tuple[Any, Any, Any] | None:
    import torch

    channels = images.shape[axis]
    count = images.numel() // channels
    if count < 2:
        return None
    mean, variance = images.new_zeros(2, channels)
    last = axis == -1
    if last:
        images = images.permute(0, 3, 1, 2)
        if images.is_cpu and channels < _LEAST_CHANNELS_LAST:
            images = images.contiguous()
    outputs = torch.nn.functional.batch_norm(
        images,
        mean,
        variance,
        scale,
        offset,
        training=True,
        momentum=1.0,
        eps=epsilon,
    )
    return (
        outputs.permute(0, 2, 3, 1) if last else outputs,
        mean,
        variance * (count - 1) / count,
    )
