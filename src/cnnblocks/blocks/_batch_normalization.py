"""Keras' batch normalization, in one kernel while it trains."""

from typing import Any

import keras

from cnnblocks import kernels


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with the same weights, and the same results up to rounding.

    Only what `ConvBNRelu` needs: four dimensions, a scale and an offset, no mask.
    """

    def call(
        self, inputs: Any, training: bool | None = None, mask: Any = None, shift: Any = None
    ) -> Any:
        """Normalize `inputs + shift`, channels shifted by constants.

        While training a shift only moves the mean, which is taken away, so it is not computed.
        """
        learns = training and self.trainable and mask is None
        found = self._fused(inputs, shift) if learns else None
        if found is not None:
            outputs, *statistics = found
            for moving, current in zip((self.moving_mean, self.moving_variance), statistics):
                moving.assign(moving * self.momentum + current * (1.0 - self.momentum))
            return keras.ops.cast(outputs, self.compute_dtype)
        if shift is None:
            return super().call(inputs, training=training, mask=mask)
        if learns and keras.backend.backend() == "jax":
            # There what takes no part has a gradient of zero, not none.
            outputs = super().call(inputs, training=training)
            self.moving_mean.assign(self.moving_mean + shift * (1.0 - self.momentum))
            return outputs
        return super().call(self._shifted(inputs, shift), training=training, mask=mask)

    def _shifted(self, inputs: Any, shift: Any) -> Any:
        shape = [1] * len(inputs.shape)
        shape[self.axis] = -1
        return keras.ops.add(inputs, keras.ops.reshape(shift, shape))

    def _fused(self, inputs: Any, shift: Any) -> tuple[Any, Any, Any] | None:
        # Keras, too, normalizes half precision in single precision.
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        if not dtype == self.variable_dtype == "float32":
            return None
        images = keras.ops.cast(inputs, dtype)
        scale, offset = self.gamma.value, self.beta.value
        if shift is None:
            return kernels.normalized_batch(images, scale, offset, self.epsilon, self.axis)
        shift = keras.ops.cast(shift, dtype)
        # The shift's gradient is zero, which is not the same to an optimizer as none.
        offset = offset + 0.0 * shift
        found = kernels.normalized_batch(images, scale, offset, self.epsilon, self.axis)
        if found is None:
            return None
        outputs, mean, variance = found
        return outputs, mean + keras.ops.stop_gradient(shift), variance
