"""What the blocks do alike whose batch normalization is a choice."""

from typing import Any

import keras

from cnnblocks.blocks._arguments import boolean, optional_boolean
from cnnblocks.blocks._base import BatchNormBlock
from cnnblocks.blocks._conv2d import Conv2D
from cnnblocks.blocks.conv_bn_relu import ConvBNRelu


class OptionalNormBlock(BatchNormBlock):
    """Base of the blocks whose convolutions may be normalized."""

    def __init__(self, *, use_batch_norm: bool, use_bias: bool | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_batch_norm = boolean(use_batch_norm, "use_batch_norm")
        use_bias = optional_boolean(use_bias, "use_bias")
        self.use_bias = not use_batch_norm if use_bias is None else use_bias

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update({"use_batch_norm": self.use_batch_norm, "use_bias": self.use_bias})
        return config

    def _convolution(
        self, filters: int, kernel_size: int, *, strides: Any = 1, name: str
    ) -> keras.layers.Layer:
        """Return a convolution with activation, and with batch normalization if so chosen."""
        arguments = {
            "filters": filters,
            "kernel_size": kernel_size,
            "strides": strides,
            "padding": "same",
            "use_bias": self.use_bias,
            "activation": self.activation,
            **self._conv_arguments(name),
        }
        if self.use_batch_norm:
            return ConvBNRelu(**arguments, **self._batch_norm_arguments())
        return Conv2D(**arguments)
