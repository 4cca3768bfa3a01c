"""From a model to its layer table."""

import re
from collections.abc import Iterator
from math import prod
from typing import Any

import keras
from keras import tree

from cnnblocks.analysis import receptive_field
from cnnblocks.analysis.arithmetic import multiply_adds
from cnnblocks.analysis.errors import AnalysisError
from cnnblocks.analysis.layer_table import LayerTable, Row, Totals
from cnnblocks.analysis.receptive_field import Field
from cnnblocks.networks.calls import Call, ends, trace
from cnnblocks.networks.errors import keras_reason
from cnnblocks.weights.naming import numbered

_INVISIBLE = {"ConvertToTensor", "Cast"}
_VIEWS = (keras.layers.Flatten, keras.layers.Reshape)


def summarize(
    model: keras.Model, batch_size: int = 1, input_shape: tuple[int, ...] | None = None
) -> LayerTable:
    """Take a model apart into a table of its layers and of what is inside them.

    Works for any Keras model whose layers can be called on symbolic tensors, and computes no
    values. Blocks, nested models and other layers that hold layers are opened.

    Multiply-adds are those of convolutions and Dense layers for one image, as papers give them;
    one multiply-add is two floating-point operations. The receptive field is exact for
    convolution, pooling, padding and elementwise layers, along branches and skips. Activation
    memory is that of all outputs, which training keeps for the backward pass; inference needs less.

    Args:
        model: The model. Its weights are neither read nor changed.
        batch_size: Number of images whose activations are counted.
        input_shape: Shape of one image without the batch, for a model that takes images of any
            size or has not been built.

    Raises:
        AnalysisError: The input shape is needed, or does not fit.

    Example:

        >>> import cnnblocks
        >>> table = cnnblocks.summarize(cnnblocks.create("lenet5", input_shape=(28, 28, 1)))
        >>> table.totals.parameters, table.totals.multiply_adds
        (44426, 281640)
        >>> table["stage2_conv"].receptive_field
        (14, 14)
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise AnalysisError(f"batch_size must be a positive integer. Received: {batch_size!r}")
    inputs = _symbolic_inputs(model, input_shape)
    try:
        root = trace(model, inputs)
    except ValueError as error:
        reason = keras_reason(error)
        raise AnalysisError(f"{model.name} cannot take {_shapes(inputs)}. {reason}") from error
    return _Builder(model, root, batch_size).table()


def _symbolic_inputs(model: keras.Model, input_shape: tuple[int, ...] | None) -> Any:
    if input_shape is not None:
        return keras.Input(batch_shape=(1, *input_shape))
    given = ends(model)
    if given is None:
        raise AnalysisError(
            f"{model.name} has not been called yet, so its input shape is unknown. Give it: "
            "input_shape=(height, width, channels)"
        )
    inputs, _ = given
    for tensor in tree.flatten(inputs):
        if None in tensor.shape[1:]:
            raise AnalysisError(
                f"{model.name} takes inputs of shape {tensor.shape[1:]}. Give the sizes: "
                "input_shape=(height, width, channels)"
            )
    return tree.map_structure(_one_of_batch, inputs)


def _one_of_batch(tensor: Any) -> Any:
    return keras.Input(batch_shape=(tensor.shape[0] or 1, *tensor.shape[1:]), dtype=tensor.dtype)


def _shapes(inputs: Any) -> str:
    return ", ".join(str(tuple(x.shape[1:])) for x in tree.flatten(inputs))


class _Builder:
    """Turns a tree of calls into rows, carrying receptive fields from tensor to tensor."""

    def __init__(self, model: keras.Model, root: Call, batch_size: int) -> None:
        self.model = model
        self.root = root
        self.batch_size = batch_size
        self.image_size = _image_size(root)
        self.fields: dict[int, Field | None] = {}
        self.origins: dict[int, list[str]] = {}
        self.counted: set[int] = set()

    def table(self) -> LayerTable:
        rows = self._input_rows() + self._rows(self.root.children, "", 0)
        totals = self._totals(rows)
        for row in (inner for outer in rows for inner in outer.walk()):
            row.parameter_share = row.parameters / max(totals.parameters, 1)
            row.multiply_add_share = (row.multiply_adds or 0) / max(totals.multiply_adds, 1)
        shapes = [tuple(x.shape[1:]) for x in self.root.inner_inputs]
        return LayerTable(self.model.name, shapes, self.batch_size, rows, totals)

    def _input_rows(self) -> list[Row]:
        given = ends(self.model)
        names = [x.name for x in tree.flatten(given[0])] if given else ["input"]
        rows = []
        for name, tensor in zip(names, self.root.inner_inputs):
            dimensions = len(tensor.shape) - 2
            self.fields[id(tensor)] = receptive_field.of_image(dimensions) if dimensions else None
            self.origins[id(tensor)] = [name]
            operation = keras.layers.InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype)
            call = Call(operation, (), {}, [tensor])
            rows.append(self._row(call, name, name, 0, []))
        return rows

    def _rows(self, calls: list[Call], parent: str, depth: int) -> list[Row]:
        rows: list[Row] = []
        shown = [call for call in calls if type(call.operation).__name__ not in _INVISIBLE]
        names = dict(zip(map(id, shown), numbered([call.name for call in shown])))
        for call in calls:
            name = names.get(id(call))
            if name is None:
                self._pass_on(call)
                continue
            path = f"{parent}/{name}" if parent else name
            rows.append(self._visit(call, name, path, depth))
        return rows

    def _pass_on(self, call: Call) -> None:
        for before, after in zip(call.inputs, call.outputs):
            self.fields[id(after)] = self.fields.get(id(before))
            self.origins[id(after)] = self.origins.get(id(before), [])

    def _visit(self, call: Call, name: str, path: str, depth: int) -> Row:
        for outer, inner in zip(call.inputs, call.inner_inputs):
            self.fields[id(inner)] = self.fields.get(id(outer))
            self.origins[id(inner)] = [path]
        children = self._rows(call.children, path, depth + 1)
        if call.children:
            for outer, inner in zip(call.outputs, call.inner_outputs):
                self.fields[id(outer)] = self.fields.get(id(inner))
        else:
            self._follow(call)
        for outer in call.outputs:
            self.origins[id(outer)] = [path]
        return self._row(call, name, path, depth, children)

    def _follow(self, call: Call) -> None:
        fields = [self.fields.get(id(x)) for x in call.inputs]
        shape = tuple(call.inputs[0].shape) if call.inputs else ()
        field = receptive_field.after(call.operation, fields, shape, self.image_size)
        for tensor in call.outputs:
            self.fields[id(tensor)] = field

    def _row(self, call: Call, name: str, path: str, depth: int, children: list[Row]) -> Row:
        output = call.outputs[0]
        field = self.fields.get(id(output))
        parameters, trainable, reused = self._parameters(call.operation)
        return Row(
            name=name,
            path=path,
            type=type(call.operation).__name__,
            depth=depth,
            **_settings(call.operation),
            input_shapes=[tuple(x.shape[1:]) for x in call.inputs],
            output_shape=tuple(output.shape[1:]),
            dtype=output.dtype,
            parameters=parameters,
            trainable_parameters=trainable,
            multiply_adds=_row_multiply_adds(call, children),
            receptive_field=field.size if field else None,
            receptive_stride=(field.stride or None) if field else None,
            activation_bytes=self._activation_bytes(call, children),
            inputs=list(dict.fromkeys(o for x in call.inputs for o in self.origins.get(id(x), []))),
            reused=reused,
            children=children,
        )

    def _parameters(self, operation: Any) -> tuple[int, int, bool]:
        if not isinstance(operation, keras.Layer) or not operation.weights:
            return 0, 0, False
        if id(operation) in self.counted:
            return 0, 0, True
        self.counted.add(id(operation))
        return _size(operation.weights), _size(operation.trainable_weights), False

    def _activation_bytes(self, call: Call, children: list[Row]) -> int:
        if children:
            return sum(child.activation_bytes for child in children)
        if isinstance(call.operation, _VIEWS):
            return 0
        return self.batch_size * sum(prod(x.shape[1:]) * _bytes(x.dtype) for x in call.outputs)

    def _totals(self, rows: list[Row]) -> Totals:
        weights = self.model.weights
        innermost = [row for outer in rows for row in outer.walk() if not row.children]
        return Totals(
            parameters=_size(weights),
            trainable_parameters=_size(self.model.trainable_weights),
            multiply_adds=sum(row.multiply_adds or 0 for row in innermost),
            unknown_multiply_adds=[row.path for row in innermost if row.multiply_adds is None],
            weight_bytes=sum(prod(weight.shape) * _bytes(weight.dtype) for weight in weights),
            activation_bytes=sum(row.activation_bytes for row in rows),
        )


def _image_size(root: Call) -> tuple[int, ...]:
    """Height and width of the first input, whose order its first spatial layer tells."""
    shape = tuple(root.inner_inputs[0].shape)
    formats = (getattr(operation, "data_format", None) for operation in _operations(root))
    channels_first = next(filter(None, formats), None) == "channels_first"
    return shape[2:] if channels_first else shape[1:-1]


def _operations(call: Call) -> Iterator[Any]:
    for child in call.children:
        yield child.operation
        yield from _operations(child)


def _settings(operation: Any) -> dict[str, Any]:
    """The arguments of a layer that its shapes and arithmetic depend on; `None` for others."""
    padding = getattr(operation, "padding", None)
    return {
        "kernel_size": getattr(operation, "kernel_size", getattr(operation, "pool_size", None)),
        "strides": getattr(operation, "strides", None),
        "padding": padding if isinstance(padding, str) else None,
        "dilation_rate": getattr(operation, "dilation_rate", None),
        "groups": getattr(operation, "groups", None),
        "use_bias": getattr(operation, "use_bias", None),
        "data_format": getattr(operation, "data_format", None),
    }


def _row_multiply_adds(call: Call, children: list[Row]) -> int | None:
    if children:
        return sum(child.multiply_adds or 0 for child in children)
    if not call.inputs:
        return 0
    return multiply_adds(call.operation, tuple(call.inputs[0].shape), tuple(call.outputs[0].shape))


def _size(weights: list[Any]) -> int:
    return sum(prod(weight.shape) for weight in weights)


def _bytes(dtype: str) -> int:
    bits = re.search(r"\d+", dtype)
    return int(bits.group()) // 8 if bits else 1
