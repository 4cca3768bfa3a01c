"""Which layers of a Functional model run one after the other, and which beside each other."""

from __future__ import annotations

from typing import Any


def segments_of(model: Any) -> dict[int, int]:
    """Number the stretches of a model between layers that everything passes through.

    Args:
        model: a Sequential or Functional Keras model.

    Returns:
        For each layer with weights, by `id`, the number of its stretch. Layers with the same
        number run, or may run, beside each other.
    """
    layers = [layer for layer in model.layers if layer.weights]
    if not hasattr(model, "operations"):
        return {id(layer): number for number, layer in enumerate(layers)}
    above = _above(model)
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


def _above(model: Any) -> dict[int, set[int]] | None:
    """Return what lies above each operation, `None` if that cannot be seen from outside.

    That is so where a layer is called several times, or a Functional model inside the model hides
    what it was called on.
    """
    from keras import layers, tree

    makers: dict[int, int] = {}
    above: dict[int, set[int]] = {}
    for operation in model.operations:
        try:
            given = tree.flatten(operation.input)
            made = tree.flatten(operation.output)
        except (AttributeError, ValueError):
            return None
        if isinstance(operation, layers.InputLayer):
            given = []
        if any(id(tensor) not in makers for tensor in given):
            return None
        direct = {makers[id(tensor)] for tensor in given}
        above[id(operation)] = direct.union(*(above[maker] for maker in direct))
        makers.update({id(tensor): id(operation) for tensor in made})
    return above
