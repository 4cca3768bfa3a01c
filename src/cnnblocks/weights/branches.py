"""Which layers of a Functional model run one after the other, and which beside each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Flatten = Callable[[Any], list[Any]]


def segments_of(model: Any, flatten: Flatten) -> dict[int, int]:
    """Number the stretches of a model between layers that everything passes through.

    Args:
        model: a Sequential or Functional Keras model.
        flatten: `keras.tree.flatten`.

    Returns:
        For each layer with weights, by `id`, the number of its stretch. Layers with the same
        number run, or may run, beside each other.
    """
    layers = [layer for layer in model.layers if layer.weights]
    if not hasattr(model, "operations"):
        return {id(layer): number for number, layer in enumerate(layers)}
    above = _above(model, flatten)
    if above is None:
        return {id(layer): 0 for layer in layers}
    segments: dict[int, int] = {}
    number = 0
    for layer in layers:
        alone = all(_in_line(layer, other, above) for other in layers)
        number += alone
        segments[id(layer)] = number
        number += alone
    return segments


def _in_line(one: Any, other: Any, above: dict[int, set[int]]) -> bool:
    return one is other or id(one) in above[id(other)] or id(other) in above[id(one)]


def _above(model: Any, flatten: Flatten) -> dict[int, set[int]] | None:
    """Return what lies above each operation, `None` if that cannot be seen from outside.

    That is so where a layer is called several times, or a Functional model inside the model hides
    what it was called on.
    """
    inputs = {id(tensor) for tensor in model.inputs}
    makers: dict[int, int] = {}
    above: dict[int, set[int]] = {}
    for operation in model.operations:
        try:
            given, made = flatten(operation.input), flatten(operation.output)
        except (AttributeError, ValueError):
            return None
        if any(id(tensor) in inputs for tensor in made):  # an input layer
            given = []
        if any(id(tensor) not in makers for tensor in given):
            return None
        direct = {makers[id(tensor)] for tensor in given}
        above[id(operation)] = direct.union(*(above[maker] for maker in direct))
        makers.update({id(tensor): id(operation) for tensor in made})
    return above
