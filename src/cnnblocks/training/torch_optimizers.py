"""Keras' optimizers on a CPU with PyTorch: one kernel updates a variable and what belongs to it.

Keras' own go over all of a network's weights eight times for every step of Adam. State, formulas
and checkpoints are the same.
"""

from math import sqrt
from typing import Any

import keras
import torch
from torch.optim.adam import adam

from cnnblocks.training.optimizer_slots import KeepsSlots

_MANY_STEPS = 1e9
"""After so many steps PyTorch corrects no bias, which is in the learning rate already: Keras adds
epsilon before that correction, PyTorch after it."""


class _OneKernelAdam(KeepsSlots):
    suffixes = ("_momentum", "_velocity")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable, its momentum and its velocity."""
        value = variable.value
        if not value.is_contiguous():
            super().update_step(gradient, variable, learning_rate)
            return
        momentum, velocity = self.slots[self.key(variable)]
        step = int(self.iterations) + 1
        correction = sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        adam(
            [value],
            [gradient.to(value.dtype).contiguous()],
            [momentum],
            [velocity],
            [],
            [torch.tensor(_MANY_STEPS)],
            fused=True,
            amsgrad=False,
            beta1=self.beta_1,
            beta2=self.beta_2,
            lr=float(learning_rate) * correction,
            weight_decay=0.0,
            eps=self.epsilon,
            maximize=False,
        )


class Adam(_OneKernelAdam, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, without `amsgrad`."""


class AdamW(_OneKernelAdam, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, without `amsgrad`."""


SGD = keras.optimizers.SGD
