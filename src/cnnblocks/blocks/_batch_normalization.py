"""Keras' batch normalization, in one kernel while it trains."""

from typing import Any

import keras

from cnnblocks import kernels


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with the same weights, and the same results up to rounding.

    Only what `ConvBNRelu` needs: four dimensions, a scale and an offset, no mask.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        found = self._fused(inputs) if training and self.trainable and mask is None else None
        if found is None:
            return super().call(inputs, training=training, mask=mask)
        outputs, *statistics = found
        for moving, current in zip((self.moving_mean, self.moving_variance), statistics):
            moving.assign(moving * self.momentum + current * (1.0 - self.momentum))
        return keras.ops.cast(outputs, self.compute_dtype)

    def _fused(self, inputs: Any) -> tuple[Any, Any, Any] | None:
        # Keras, too, normalizes half precision in single precision.
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        if not dtype == self.variable_dtype == "float32":
            return None
        images = keras.ops.cast(inputs, dtype)
        scale, offset = self.gamma.value, self.beta.value
        return kernels.normalized_batch(images, scale, offset, self.epsilon, self.axis)
