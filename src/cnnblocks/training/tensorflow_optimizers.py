"""Keras' optimizers on one TensorFlow device: one kernel updates a variable and what belongs to it.

Keras' own go over all of a network's weights a dozen times for every step of Adam. State, formulas
and checkpoints are the same.
"""

from typing import Any

import keras
import tensorflow as tf

from cnnblocks.training.optimizer_slots import KeepsSlots


class _KeepsSlots(KeepsSlots):
    def key(self, variable: Any) -> Any:
        return variable.value.ref()

    def _handles(self, variable: tf.Variable) -> list[Any]:
        return [kept.handle for kept in (variable, *self.slots[variable.ref()])]


class _OneKernelAdam(_KeepsSlots):
    suffixes = ("_momentum", "_velocity")

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """Update all variables; what depends on the step alone is computed once for them."""
        step = tf.cast(self.iterations.value + 1, "float32")
        self.powers = [tf.pow(beta, step) for beta in (self.beta_1, self.beta_2)]
        try:
            return super().apply(grads, trainable_variables)
        finally:
            del self.powers

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable, its momentum and its velocity."""
        handle, momentum, velocity = self._handles(variable)
        first, second = (tf.cast(power, variable.dtype) for power in self.powers)
        tf.raw_ops.ResourceApplyAdam(
            var=handle,
            m=momentum,
            v=velocity,
            beta1_power=first,
            beta2_power=second,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),
        )


class Adam(_OneKernelAdam, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, without `amsgrad`."""


class AdamW(_OneKernelAdam, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, without `amsgrad`."""


class SGD(_KeepsSlots, keras.optimizers.SGD):
    """`keras.optimizers.SGD` with momentum."""

    suffixes = ("_momentum",)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable and its momentum."""
        handle, momentum = self._handles(variable)
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=handle,
            accum=momentum,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )
