"""Keras' optimizers on one TensorFlow device: one kernel updates a variable and what belongs to it.

Keras' own go over all of a network's weights a dozen times for every step of Adam. State, formulas
and checkpoints are the same.
"""

from typing import Any

import keras
import tensorflow as tf


class _KeepsSlots(keras.optimizers.Optimizer):
    """Finds what an optimizer keeps of a variable.

    Attributes:
        suffixes: How the paths of what it keeps end.
    """

    suffixes: tuple[str, ...]

    def build(self, variables: list[Any]) -> None:
        super().build(variables)
        kept = (
            [slot.value for slot in self.variables if slot.path.endswith(suffix)]
            for suffix in self.suffixes
        )
        references = (variable.value.ref() for variable in variables)
        self._slots = dict(zip(references, zip(*kept, strict=True), strict=True))

    def _handles(self, variable: Any) -> list[Any]:
        return [kept.handle for kept in (variable, *self._slots[variable.ref()])]


class _OneKernelAdam(_KeepsSlots):
    suffixes = ("_momentum", "_velocity")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        handle, momentum, velocity = self._handles(variable)
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=handle,
            m=momentum,
            v=velocity,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
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
