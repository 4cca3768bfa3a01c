"""Keras' convolution, as matrix products where those are faster."""

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

    def of_sampled(self, images: Any, training: bool | None = None) -> Any:
        """Call this layer, of 1x1, on what `kernels.subsampled` left of its images."""
        outputs = kernels.multiplied(images, self.kernel)
        if self.use_bias:
            outputs = keras.ops.add(outputs, self.bias)
        return self.activation(outputs)
