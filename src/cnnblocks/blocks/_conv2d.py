"""Keras' convolution, as matrix products where images are small."""

from typing import Any

import keras

from cnnblocks import kernels


class Conv2D(keras.layers.Conv2D):
    """Keras' layer with the same weights, and the same results up to rounding.

    Only what the blocks need: no groups, no dilation.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if self.data_format == "channels_last":
            outputs = kernels.convolved_batch(inputs, kernel, self.strides, self.padding)
            if outputs is not None:
                return outputs
        return super().convolution_op(inputs, kernel)
