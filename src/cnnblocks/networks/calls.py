"""Every call of a layer in a model, with what is called inside layers, as a tree."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import tree


@dataclass
class Call:
    """One call of a layer or operation.

    Attributes:
        operation: The `keras.Operation`, most often a `keras.Layer`.
        args: The positional arguments of the call.
        kwargs: The keyword arguments of the call.
        outputs: The symbolic tensors it gave.
        children: The calls made inside, each after those it takes its inputs from.
        inner_inputs: The symbolic tensors that stand for `inputs` inside.
        inner_outputs: The symbolic tensors that stand for `outputs` inside.
    """

    operation: Any
    args: Any
    kwargs: Any
    outputs: list[Any]
    children: list["Call"] = field(default_factory=list)
    inner_inputs: list[Any] = field(default_factory=list)
    inner_outputs: list[Any] = field(default_factory=list)

    @property
    def inputs(self) -> list[Any]:
        """The symbolic tensors among the arguments."""
        return tensors((self.args, self.kwargs))

    @property
    def name(self) -> str:
        """The layer's name; an operation that is no layer is called by what it does."""
        if isinstance(self.operation, keras.Layer):
            return self.operation.name
        return type(self.operation).__name__.lower()


def trace(
    model: keras.Model, inputs: Any, opens: Callable[[keras.Layer], bool] | None = None
) -> Call:
    """Call `model` on symbolic `inputs` and return the tree of calls.

    A layer that holds other layers is opened by running its `call` on symbolic tensors, which gives
    a graph of what it calls; no values are computed and no weights are read. A layer whose `call`
    cannot take symbolic tensors stays closed.

    Args:
        model: The model.
        inputs: Symbolic tensors in the structure that the model takes.
        opens: Whether to open a layer that holds others; all are opened if not given.
    """
    root = Call(model, (inputs,), {}, [])
    _open(root, opens or (lambda layer: True))
    root.outputs = root.inner_outputs
    return root


def ends(model: keras.Model) -> tuple[Any, Any] | None:
    """The symbolic inputs and outputs of a model in their structure; `None` without a graph."""
    if isinstance(model, keras.Function):
        return model.input, model.output
    if isinstance(model, keras.Sequential) and model.built:
        return model.inputs[0], model.outputs[0]
    return None


def tensors(structure: Any) -> list[Any]:
    """The symbolic tensors in a structure, in order."""
    return [x for x in tree.flatten(structure) if isinstance(x, keras.KerasTensor)]


def sublayers(layer: keras.Layer) -> Iterator[keras.Layer]:
    """The layers that `layer` holds in attributes, or in lists, tuples and dicts there.

    An activation is left out: it belongs to the layer's own arithmetic.
    """
    attributes = {name: value for name, value in vars(layer).items() if name != "activation"}
    for value in tree.flatten(list(attributes.values())):
        if isinstance(value, keras.Layer):
            yield value


def _open(call: Call, opens: Callable[[keras.Layer], bool]) -> None:
    inner = {id(x): keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in call.inputs}
    args, kwargs = tree.map_structure(lambda x: inner.get(id(x), x), (call.args, call.kwargs))
    call.inner_inputs = list(inner.values())
    outputs = tensors(call.operation.call(*args, **kwargs))
    children: list[Call] = []

    def record(operation: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = operation(*args, **kwargs)
        child = Call(operation, args, kwargs, tensors(outputs))
        if isinstance(operation, keras.Layer) and any(sublayers(operation)) and opens(operation):
            _open_if_possible(child, opens)
        children.append(child)
        return outputs

    # On PyTorch a model made in this scope does not ask for its variables' values.
    with keras.StatelessScope():
        graph = keras.Model(call.inner_inputs, outputs)
        copy = keras.models.clone_model(
            graph,
            input_tensors=graph.input,
            clone_function=lambda operation: operation,
            call_function=record,
        )
    call.inner_outputs = tensors(copy.outputs)
    call.children = _in_reading_order(children, call.inner_outputs)


def _open_if_possible(call: Call, opens: Callable[[keras.Layer], bool]) -> None:
    try:
        _open(call, opens)
    except Exception:
        # Whatever a foreign layer raises when its call meets symbolic tensors.
        call.children = []


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
