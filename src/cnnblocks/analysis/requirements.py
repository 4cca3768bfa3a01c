"""What a training will need: memory by kind, and steps."""

from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from cnnblocks.analysis.layer_table import LayerTable

_FLOAT32 = 4
_SLOTS = {"sgd": 1, "adam": 2, "adamw": 2}


@dataclass(frozen=True)
class Requirements:
    """What a training will need; made by `estimate_requirements`.

    Attributes:
        parameters: Number of parameters.
        multiply_adds: Multiply-adds for one image, forward.
        weights: Bytes of the weights.
        gradients: Bytes of the gradients.
        optimizer: Bytes of the optimizer's slots.
        activations: Bytes of all layers' outputs for one batch, kept for the backward pass.
        steps_per_epoch: Steps of an epoch.
        steps: Steps in all.
    """

    parameters: int
    multiply_adds: int
    weights: int
    gradients: int
    optimizer: int
    activations: int
    steps_per_epoch: int
    steps: int

    @property
    def memory(self) -> int:
        """Bytes in all. What the framework itself takes and its work space come on top."""
        return self.weights + self.gradients + self.optimizer + self.activations

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {"schema": 1, **asdict(self), "memory": self.memory}


def estimate_requirements(
    table: LayerTable, *, optimizer: str, ema: bool, images: int, epochs: int
) -> Requirements:
    """Estimate what a training will need.

    Args:
        table: The network's layer table at the batch size and precision of the training.
        optimizer: `"sgd"` (with momentum), `"adam"` or `"adamw"`.
        ema: Whether a moving average of the weights is kept.
        images: Number of training images.
        epochs: Number of epochs.

    Example:

        >>> import cnnblocks
        >>> from cnnblocks.analysis import estimate_requirements
        >>> table = cnnblocks.summarize(cnnblocks.create("lenet5"), batch_size=32)
        >>> estimate_requirements(table, optimizer="adam", ema=False, images=50_000, epochs=5).steps
        7815
    """
    totals = table.totals
    slots = _SLOTS[optimizer] + bool(ema)
    steps = ceil(images / table.batch_size)
    return Requirements(
        parameters=totals.parameters,
        multiply_adds=totals.multiply_adds,
        weights=totals.weight_bytes,
        gradients=_FLOAT32 * totals.trainable_parameters,
        optimizer=_FLOAT32 * slots * totals.trainable_parameters,
        activations=totals.activation_bytes,
        steps_per_epoch=steps,
        steps=steps * epochs,
    )
