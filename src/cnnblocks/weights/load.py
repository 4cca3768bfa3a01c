"""Loading any weight file into a model: the right weights in the right places, or an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cnnblocks.weights.branches import segments_of
from cnnblocks.weights.errors import WeightFileError
from cnnblocks.weights.matching import BY_PATH
from cnnblocks.weights.naming import automatic, snake_case
from cnnblocks.weights.opening import open as open_table
from cnnblocks.weights.planning import Assignment, plan, require_any, require_complete
from cnnblocks.weights.report import LoadReport
from cnnblocks.weights.structure import COMMON_STEMS, Structure, Unit, family_of
from cnnblocks.weights.table import Tensor, WeightTable


def load_weights(
    model: Any, path: str | Path, strict: bool = True, match: str = "auto"
) -> LoadReport:
    """Load a weight file of any format into a model, safely.

    Every layer's weights go where the evidence says they belong: the same structure by path, then
    names that a person gave, then kind of layer, order of creation and shape. Where more than one
    assignment fits and nothing in the file decides, it refuses. The model changes only once
    everything has been read and checked.

    Args:
        model: a built Keras model.
        path: the file: Keras 3 `.weights.h5`, `.keras` or `.weights.json`; `.h5` weights or whole
            models of Keras 2 and tf.keras; a TensorFlow checkpoint; a text dump.
        strict: whether the file must fit exactly. With `False` everything that is certain loads
            (all but the head, for another number of classes), and the report says what did not.
        match: `"auto"` for all evidence; `"path"`, `"name"` or `"order"` for one kind alone.

    Returns:
        A `LoadReport`: layers loaded, skipped, missing, left over and ambiguous, with reasons. It
        also says whether the optimizer's state was carried over, which happens when the model is
        compiled with the same optimizer and the file fits by path.

    Raises:
        WeightFileError: the file cannot be read.
        AmbiguousWeightsError: the file fits in more than one way and nothing in it decides.
        WeightsMismatchError: the file does not fit, or with `strict=False` no layer fits.
        ValueError: the model is not built, or `match` is unknown.

    Example:

        >>> model = cnnblocks.create("vgg16", num_classes=5)
        >>> report = cnnblocks.load_weights(model, "vgg16_cifar10.h5", strict=False)
        >>> print(report)
        vgg16_cifar10.h5 (legacy-weights) and vgg16:
          loaded      28 layers, by order of creation
          skipped     1 layer
            classifier <- dense_2: the file has kernel (512, 10), bias (10,), the model needs ...
    """
    members = _members(model)
    structure = _structure(members)
    with open_table(path) as table:
        planned = plan(table, structure, model.name, match)
        report = planned.report
        (require_complete if strict else require_any)(report)
        variables = [
            (members[entry.unit].weights[entry.weight], entry) for entry in planned.assignments
        ]
        values = [(variable, _value(variable, entry, table)) for variable, entry in variables]
        _note_casts(report, planned.assignments, members)
        slots = _optimizer_values(model, table, report)
    for variable, value in [*values, *slots]:
        variable.assign(value)
    return report


def model_structure(model: Any) -> Structure:
    """Return the layers of a built Keras model that hold weights, in order of creation.

    Args:
        model: the model; its weights need no values.

    Raises:
        ValueError: the model is not built.

    Example:

        >>> model_structure(cnnblocks.create("lenet5")).units[0].shapes
        (('kernel', (5, 5, 3, 6)), ('bias', (6,)))
    """
    return _structure(_members(model))


@dataclass(frozen=True)
class _Member:
    """A layer with weights of its own, the layers that hold it, and where Keras 3 saves it."""

    layer: Any
    holders: tuple[Any, ...]
    path: str
    name: str
    weights: list[Any]


def _members(model: Any) -> list[_Member]:
    if not getattr(model, "built", False):
        raise ValueError(
            "The model has no weights yet: call it on an image, or build(input_shape), first. "
            f"Received: model={model!r}"
        )
    found = list(_walk(model, (), "", "", set()))
    order = {id(weight): index for index, weight in enumerate(model.weights)}
    last = len(order)
    return sorted(found, key=lambda member: order.get(id(member.weights[0]), last))


def _structure(members: list[_Member]) -> Structure:
    stems = {snake_case(type(layer).__name__) for member in members for layer in member.holders}
    segments: dict[int, dict[int, int]] = {}
    units = tuple(_unit(index, member, segments) for index, member in enumerate(members))
    return Structure(units, paths=True, stems=COMMON_STEMS | stems)


def _unit(index: int, member: _Member, segments: dict[int, dict[int, int]]) -> Unit:
    kind = snake_case(type(member.layer).__name__)
    shapes = tuple((_role(kind, weight.name), tuple(weight.shape)) for weight in member.weights)
    stem, number = automatic(member.name.split("/")[-1])
    counted = stem == kind
    return Unit(
        name=member.name,
        path=member.path,
        family=family_of(kind, shapes),
        shapes=shapes,
        stem=stem if counted else None,
        number=number if counted else None,
        place=_place(index, member, segments),
    )


def _place(index: int, member: _Member, segments: dict[int, dict[int, int]]) -> tuple[int, ...]:
    """Return where the layer stands; layers that run beside each other stand at the same place.

    Args:
        index: the layer's place in order of creation, as far as that is known.
        member: the layer.
        segments: what `segments_of` has found for models so far.
    """
    from keras import tree

    place = []
    for holder, held in pairwise(member.holders):
        if not _is_functional(holder) and not _is_sequential(holder):
            break
        if id(holder) not in segments:
            segments[id(holder)] = segments_of(holder, tree.flatten)
        segment = segments[id(holder)].get(id(held))
        if segment is None:  # held as an attribute, beside the graph
            break
        place.append(segment)
        if list(segments[id(holder)].values()).count(segment) > 1:
            return tuple(place)
    return (*place, index)


def _role(kind: str, name: str) -> str:
    return f"depthwise_{name}" if kind.startswith("depthwise") and name == "kernel" else name


def _walk(
    layer: Any, holders: tuple[Any, ...], path: str, name: str, visited: set[int]
) -> Iterator[_Member]:
    """Find the layers below `layer`, each at the path under which Keras 3 saves it.

    Keras saves the layers of Sequential and Functional models under `layers`, all others under
    the sorted names of the attributes that hold them.
    """
    if id(layer) in visited:
        return
    visited.add(id(layer))
    holders = (*holders, layer)
    children = list(_children(layer, path))
    inner = {id(weight) for child, _ in children for weight in child.weights}
    own = [weight for weight in layer.weights if id(weight) not in inner]
    if own:
        yield _Member(layer, holders, path, name or layer.name, own)
    for child, child_path in children:
        child_name = f"{name}/{child.name}" if name else child.name
        yield from _walk(child, holders, child_path, child_name, visited)


def _children(layer: Any, path: str) -> Iterator[tuple[Any, str]]:
    import keras

    if _is_functional(layer) or _is_sequential(layer):
        yield from _held(layer.layers, _join(path, "layers"))
    skipped = _layer_attributes() | {"_functional", "operations", "_operations"}
    for attribute in sorted(dir(layer), key=_public_first):
        if attribute.startswith("__") or attribute in skipped:
            continue
        try:
            value = getattr(layer, attribute)
        except Exception:  # a property that does not apply to this layer
            continue
        if isinstance(value, keras.layers.Layer):
            yield value, _join(path, attribute)
        elif isinstance(value, list | dict | tuple):
            yield from _held(value, _join(path, attribute))


def _held(container: Any, path: str) -> Iterator[tuple[Any, str]]:
    """Find the layers in a list, a tuple or a dict, named after their classes and counted."""
    import keras

    counts: dict[str, int] = {}
    for value in container.values() if isinstance(container, dict) else container:
        is_layer = isinstance(value, keras.layers.Layer)
        if not is_layer and not isinstance(value, list | dict | tuple):
            continue
        name = snake_case(type(value).__name__) if is_layer else "container"
        count = counts.get(name, 0)
        counts[name] = count + 1
        held = _join(path, f"{name}_{count}" if count else name)
        if is_layer:
            yield value, held
        else:
            yield from _held(value, held)


def _is_functional(layer: Any) -> bool:
    """Whether a layer is a Functional model, the only kind that lists its operations."""
    import keras

    return isinstance(layer, keras.Model) and hasattr(layer, "operations")


def _is_sequential(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.Sequential)


@cache
def _layer_attributes() -> frozenset[str]:
    """The attributes that every layer has; Keras saves nothing that lies there."""
    import keras

    return frozenset(dir(keras.layers.Layer()))


def _public_first(attribute: str) -> str:
    return f"~{attribute}" if attribute.startswith("_") else attribute


def _join(path: str, part: str) -> str:
    return f"{path}/{part}" if path else part


def _value(variable: Any, entry: Assignment, table: WeightTable) -> np.ndarray:
    value = entry.tensor.read()
    if tuple(value.shape) != tuple(variable.shape):
        raise WeightFileError(
            table.path,
            f"{entry.tensor.name} has the shape {value.shape}, not {tuple(variable.shape)}.",
        )
    return value


def _note_casts(report: LoadReport, assignments: list[Assignment], members: list[_Member]) -> None:
    """Say in the report which layers' values change their dtype on the way."""
    casts = {}
    for entry in assignments:
        ours = str(members[entry.unit].weights[entry.weight].dtype)
        if ours != entry.tensor.dtype:
            casts[members[entry.unit].name] = (entry.tensor.dtype, ours)
    report.loaded = [replace(entry, cast=casts.get(entry.layer)) for entry in report.loaded]
    for theirs, ours in dict.fromkeys(casts.values()):
        report.notes.append(f"values were cast from {theirs} to {ours}")


def _optimizer_values(
    model: Any, table: WeightTable, report: LoadReport
) -> list[tuple[Any, np.ndarray]]:
    """Return the optimizer's variables with the file's values, if they are of the same kind."""
    slots = [tensor for tensor in table.tensors if tensor.role == "optimizer"]
    if not slots:
        return []
    optimizer = getattr(model, "optimizer", None)
    if table.format not in ("keras3-weights", "keras3-archive"):
        report.optimizer = "ignored: only state that Keras 3 saved can be carried over"
    elif report.evidence != [BY_PATH] or not report.complete:
        report.optimizer = "ignored: the file is not of the same structure as the model"
    elif optimizer is None:
        report.optimizer = "ignored: the model is not compiled"
    else:
        return _slot_values(model, optimizer, slots, report)
    return []


def _slot_values(
    model: Any, optimizer: Any, slots: list[Tensor], report: LoadReport
) -> list[tuple[Any, np.ndarray]]:
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    owners = {
        "optimizer/vars": optimizer,
        "optimizer/inner_optimizer/vars": getattr(optimizer, "inner_optimizer", None),
    }
    variables = {
        f"{group}/{index}": variable
        for group, owner in owners.items()
        if owner is not None
        for index, variable in enumerate(owner.variables)
    }
    theirs, ours = (automatic(name.split("/")[0])[0] for name in (slots[0].name, optimizer.name))
    shapes = {path: tuple(variable.shape) for path, variable in variables.items()}
    if theirs != ours:
        report.optimizer = f"ignored: it is the state of {theirs}, the model has {ours}"
    elif shapes != {slot.path: slot.shape for slot in slots}:
        report.optimizer = "ignored: its variables differ from those of the model's optimizer"
    else:
        report.optimizer = f"carried over ({len(slots)} variables of {ours})"
        return [(variables[slot.path], slot.read()) for slot in slots]
    return []
