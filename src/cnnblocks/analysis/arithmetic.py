"""How many multiply-adds a layer takes for one image."""

from math import prod
from typing import Any

import keras
from keras import layers

_CONVOLUTION = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
CONVOLUTIONS = (*_CONVOLUTION, *_TRANSPOSED, *_DEPTHWISE, *_SEPARABLE)


def multiply_adds(operation: Any, input_shape: tuple, output_shape: tuple) -> int | None:
    """Return the multiply-adds of one call for one image; `None` if there is no formula.

    Counted are those of convolutions and Dense layers, as in published figures; normalization,
    activation, pooling and addition count nothing.
    """
    if isinstance(operation, layers.Dense):
        return prod(output_shape[1:]) * input_shape[-1]
    if isinstance(operation, CONVOLUTIONS):
        return _convolution(operation, input_shape, output_shape)
    return 0 if _has_vectors_only(operation) else None


def spatial(layer: Any, shape: tuple) -> tuple[int, ...]:
    """The sizes of `shape` between batch and channels, such as height and width."""
    return shape[2:] if layer.data_format == "channels_first" else shape[1:-1]


def channels(layer: Any, shape: tuple) -> int:
    """The number of channels of `shape`."""
    return shape[1] if layer.data_format == "channels_first" else shape[-1]


def _convolution(layer: Any, input_shape: tuple, output_shape: tuple) -> int:
    received = channels(layer, input_shape)
    positions = prod(spatial(layer, output_shape))
    window = prod(layer.kernel_size)
    if isinstance(layer, _TRANSPOSED):
        return prod(spatial(layer, input_shape)) * window * received * layer.filters
    if isinstance(layer, _DEPTHWISE):
        return positions * window * received * layer.depth_multiplier
    if isinstance(layer, _SEPARABLE):
        deep = received * layer.depth_multiplier
        return positions * (window * deep + deep * layer.filters)
    return positions * window * (received // layer.groups) * layer.filters


def _has_vectors_only(operation: Any) -> bool:
    weights = operation.weights if isinstance(operation, keras.Layer) else []
    return all(len(weight.shape) < 2 for weight in weights)
