"""The convolution inside the blocks whose batch normalization is optional."""

from typing import Any

import keras

from cnnblocks.blocks.conv_bn_relu import ConvBNRelu


def convolution(
    block: Any, filters: int, kernel_size: int, strides: Any = 1, *, name: str
) -> keras.layers.Layer:
    """Return a convolution with activation for `block`, normalized if `block` wants that."""
    arguments = {
        "filters": filters,
        "kernel_size": kernel_size,
        "strides": strides,
        "padding": "same",
        "use_bias": block.use_bias,
        "activation": block.activation,
        **block.kernel_arguments(),
        **block.child_arguments(name),
    }
    if block.use_batch_norm:
        return ConvBNRelu(**arguments, **block.batch_norm_arguments())
    return keras.layers.Conv2D(**arguments)
