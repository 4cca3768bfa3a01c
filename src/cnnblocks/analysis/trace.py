"""Every call of a layer in a model, with what is called inside layers, as a tree."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import tree

from cnnblocks.analysis.arithmetic import is_known


@dataclass
class Call:
    """One call of a layer or operation.

    Attributes:
        operation: The `keras.Operation`, most often a `keras.Layer`.
        inputs: The symbolic tensors it got.
        outputs: The symbolic tensors it gave.
        children: The calls made inside, each after those it takes its inputs from.
        inner_inputs: The symbolic tensors that stand for `inputs` inside.
        inner_outputs: The symbolic tensors that stand for `outputs` inside.
    """

    operation: Any
    inputs: list[Any]
    outputs: list[Any]
    children: list["Call"] = field(default_factory=list)
    inner_inputs: list[Any] = field(default_factory=list)
    inner_outputs: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The layer's name; an operation that is no layer is called by what it does."""
        if isinstance(self.operation, keras.Layer):
            return self.operation.name
        return type(self.operation).__name__.lower()


def trace(model: keras.Model, inputs: Any) -> Call:
    """Call `model` on symbolic `inputs` and return the tree of calls.

    A layer that holds other layers is opened by running its `call` on symbolic tensors, which gives
    a graph of what it calls; no values are computed and no weights are read.
    """
    root = Call(model, _tensors(inputs), [])
    _open(root, (inputs,), {})
    root.outputs = root.inner_outputs
    return root


def _open(call: Call, args: Any, kwargs: Any) -> None:
    inner = {id(x): keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in call.inputs}
    args, kwargs = tree.map_structure(lambda x: inner.get(id(x), x), (args, kwargs))
    call.inner_inputs = list(inner.values())
    outputs = _tensors(call.operation.call(*args, **kwargs))
    children: list[Call] = []

    def record(operation: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = operation(*args, **kwargs)
        child = Call(operation, _tensors((args, kwargs)), _tensors(outputs))
        if _has_layers_to_show(operation):
            _open_if_possible(child, args, kwargs)
        children.append(child)
        return outputs

    graph = keras.Model(call.inner_inputs, outputs)
    copy = keras.models.clone_model(
        graph,
        input_tensors=graph.input,
        clone_function=lambda operation: operation,
        call_function=record,
    )
    call.inner_outputs = _tensors(copy.outputs)
    call.children = _in_reading_order(children, call.inner_outputs)


def _open_if_possible(call: Call, args: Any, kwargs: Any) -> None:
    try:
        _open(call, args, kwargs)
    except Exception:
        # A layer whose call needs real tensors stays closed; Keras raises whatever it meets there.
        call.children = []


def _tensors(structure: Any) -> list[Any]:
    return [x for x in tree.flatten(structure) if isinstance(x, keras.KerasTensor)]


def _has_layers_to_show(operation: Any) -> bool:
    return (
        isinstance(operation, keras.Layer)
        and not is_known(operation)
        and any(True for _ in sublayers(operation))
    )


def sublayers(layer: keras.Layer) -> Iterable[keras.Layer]:
    """The layers that are attributes of `layer`, or in lists, tuples and dicts that are."""
    for value in tree.flatten(list(vars(layer).values())):
        if isinstance(value, keras.Layer):
            yield value


def _in_reading_order(calls: list[Call], outputs: list[Any]) -> list[Call]:
    """Order calls so that a branch is read to its end before the next one begins."""
    producers = {id(x): call for call in calls for x in call.outputs}
    ordered: list[Call] = []
    done: set[int] = set()

    # Each tensor waits on the stack until all that its producer needs has been placed.
    stack = [(x, False) for x in reversed(outputs)]
    while stack:
        tensor, ready = stack.pop()
        call = producers.get(id(tensor))
        if call is None or id(call) in done:
            continue
        if ready:
            done.add(id(call))
            ordered.append(call)
        else:
            stack.append((tensor, True))
            stack += [(x, False) for x in reversed(call.inputs)]
    return ordered
