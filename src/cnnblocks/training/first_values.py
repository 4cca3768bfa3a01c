"""The values that training starts from, where a recipe draws its own."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from cnnblocks import networks
from cnnblocks.networks.calls import sublayers


def draw(
    model: Any, initializer: str | None, head_bias: float, images: Callable[[], np.ndarray]
) -> None:
    """Give a network the first values of a recipe.

    Args:
        model: The network, in Keras' own first values.
        initializer: `Recipe.kernel_initializer`.
        head_bias: `Recipe.head_bias`.
        images: Gives a batch as the network takes it; only `"lsuv"` asks for it.
    """
    if initializer:
        _draw_kernels(model, "orthogonal" if initializer == "lsuv" else initializer)
    if head_bias:
        for layer in backbone_and_head(model)[1]:
            _fill_biases(layer, head_bias)
    if initializer == "lsuv":
        _scale_to_unit_variance(model, images())


def backbone_and_head(model: Any) -> tuple[list[Any], list[Any]]:
    """The top-level layers of a network up to the end of its last stage, and those after it."""
    last = list(networks.stages(model).values())[-1]
    split = model.layers.index(last) + 1
    return model.layers[:split], model.layers[split:]


def freeze_backbone(model: Any) -> None:
    """Freeze whole top-level layers, which a saved model remembers, up to the last stage."""
    for layer in backbone_and_head(model)[0]:
        layer.trainable = False


def _draw_kernels(model: Any, initializer: str) -> None:
    for weight in model.trainable_variables:
        if weight.name == "kernel":
            # One initializer draws the same values for the same shape, so each has its own.
            weight.assign(keras.initializers.get(initializer)(weight.shape, weight.dtype))


def _fill_biases(layer: Any, value: float) -> None:
    for weight in layer.trainable_variables:
        if weight.name == "bias":
            weight.assign(keras.ops.full(weight.shape, value, weight.dtype))


def _scale_to_unit_variance(model: Any, images: np.ndarray) -> None:
    """Scale every kernel so that what its layer adds to the bias has variance 1 on `images`.

    Layer-sequential unit-variance: Mishkin and Matas, "All you need is a good init" (2015,
    https://arxiv.org/abs/1511.06422). One pass does it, since every layer hands on what it will
    give once its kernel is scaled.
    """
    # A layer's activation is the one place where its sum is seen before anything acts on it.
    scalings = [_Scaling(layer) for layer in _with_kernel_and_activation(model)]
    for scaling in scalings:
        scaling.layer.activation = scaling
    try:
        model(images, training=False)
    finally:
        for scaling in scalings:
            scaling.finish()


class _Scaling:
    """Stands in for a layer's activation during one call."""

    def __init__(self, layer: Any):
        self.layer = layer
        self.activation = layer.activation
        self.factor = 1.0

    def __call__(self, sums: Any) -> Any:
        bias = self.layer.bias if self.layer.use_bias else 0.0
        products = sums - bias
        deviation = float(keras.ops.std(keras.ops.cast(products, "float32")))
        self.factor = 1.0 / max(deviation, keras.config.epsilon())
        return self.activation(products * self.factor + bias)

    def finish(self) -> None:
        self.layer.activation = self.activation
        self.layer.kernel.assign(self.layer.kernel * self.factor)


def _with_kernel_and_activation(model: Any) -> list[Any]:
    found: dict[int, Any] = {}
    waiting = list(model.layers)
    while waiting:
        layer = waiting.pop()
        waiting += sublayers(layer)
        if hasattr(layer, "kernel") and hasattr(layer, "activation"):
            found[id(layer)] = layer
    return list(found.values())
