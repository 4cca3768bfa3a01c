"""Folding batch normalization into the layers before it, for inference."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers, tree

from cnnblocks.networks.calls import Call, ends, sublayers, trace
from cnnblocks.networks.errors import NetworkError
from cnnblocks.weights.naming import numbered

_FOLDABLE = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
    layers.Dense,
)
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_TRAINING_ONLY = (
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
)


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """Return an inference model of plain Keras layers, without batch normalization.

    In inference batch normalization multiplies and adds constants, which the convolution or Dense
    layer before it can do as well: its kernel and bias take them over. Blocks and nested models
    that hold batch normalization are taken apart, and dropout, which does nothing in inference, is
    left out. Batch normalization that follows no such layer directly stays, as does everything
    else. Outputs are equal but for rounding.

    Args:
        model: A functional or sequential model with weights. It is not changed.

    Returns:
        A functional `keras.Model` that loads without this package, unless the model holds foreign
        layers.

    Raises:
        NetworkError: The model is neither functional nor sequential, or has not been built.

    Example:

        >>> import cnnblocks
        >>> model = cnnblocks.create("resnet18", width=0.125)
        >>> folded = cnnblocks.fold_batch_norm(model)
        >>> any("batch_norm" in weight.path for weight in folded.weights)
        False
    """
    given = ends(model)
    if given is None:
        raise NetworkError(
            "fold_batch_norm takes a functional or sequential model that has been built. "
            f"Received: {model.name} ({type(model).__name__})"
        )
    inputs = tree.map_structure(_fresh_input, given[0])
    root = trace(model, inputs, opens=_comes_apart)
    folding = _Folding(root)
    outputs = folding.outputs(tree.flatten(inputs))
    return keras.Model(inputs, tree.pack_sequence_as(given[1], outputs), name=model.name)


class _Folding:
    """Lays the calls of a model anew, with batch normalization in the layers before it."""

    def __init__(self, root: Call) -> None:
        self.root = root
        self.origins: dict[int, Any] = {}
        named = list(self._innermost(root, ""))
        names = [*(x.name for x in root.inputs), *(name for name, _ in named)]
        own = [*numbered(names)][len(root.inputs) :]
        self.calls = [(name, call) for name, (_, call) in zip(own, named)]
        self.times_called = Counter(id(call.operation) for _, call in self.calls)
        self.times_used = Counter(
            id(self._origin(x)) for x in [*root.inner_outputs, *self._all_inputs()]
        )
        self.folded = self._find_foldable()
        self.norms = {id(norm) for norm in self.folded.values()}
        self.made: dict[int, keras.Layer] = {}

    def outputs(self, inputs: list[Any]) -> list[Any]:
        """Call the new layers on symbolic `inputs`."""
        values = {id(old): new for old, new in zip(self.root.inner_inputs, inputs)}

        def value(x: Any) -> Any:
            return values[id(self._origin(x))] if isinstance(x, keras.KerasTensor) else x

        for name, call in self.calls:
            args, kwargs = tree.map_structure(value, (call.args, call.kwargs))
            if id(call) in self.norms or _does_nothing(call):
                results = [value(call.inputs[0])]
            else:
                kwargs.pop("training", None)
                results = tree.flatten(self._call(name, call, args, kwargs))
            values.update((id(old), new) for old, new in zip(call.outputs, results))
        return [value(x) for x in self.root.inner_outputs]

    def _innermost(self, call: Call, prefix: str) -> Iterator[tuple[str, Call]]:
        """The calls that hold no others, in order, with names made of those around them."""
        for child in call.children:
            name = f"{prefix}{child.name}"
            if not child.children:
                yield name, child
                continue
            self._link(child.inner_inputs, child.inputs)
            yield from self._innermost(child, f"{name}_")
            self._link(child.outputs, child.inner_outputs)

    def _link(self, tensors: list[Any], origins: list[Any]) -> None:
        self.origins.update((id(x), origin) for x, origin in zip(tensors, origins))

    def _origin(self, x: Any) -> Any:
        """The tensor that `x` stands for on the other side of a layer taken apart."""
        while id(x) in self.origins:
            x = self.origins[id(x)]
        return x

    def _all_inputs(self) -> Iterator[Any]:
        for _, call in self.calls:
            yield from call.inputs

    def _find_foldable(self) -> dict[int, Call]:
        """From the id of a call to the call of batch normalization that it can take over."""
        producers = {id(x): call for _, call in self.calls for x in call.outputs}
        found = {}
        for _, norm in self.calls:
            if not isinstance(norm.operation, layers.BatchNormalization):
                continue
            source = self._origin(norm.inputs[0])
            producer = producers.get(id(source))
            if (
                producer is not None
                and self.times_used[id(source)] == 1
                and self.times_called[id(producer.operation)] == 1
                and _can_take(producer.operation, norm.operation, len(source.shape))
            ):
                found[id(producer)] = norm
        return found

    def _call(self, name: str, call: Call, args: Any, kwargs: Any) -> Any:
        operation = call.operation
        if id(operation) in self.made:
            return self.made[id(operation)](*args, **kwargs)
        if not isinstance(operation, keras.Layer):
            return _call_operation(operation, name, args, kwargs)
        norm = self.folded.get(id(call))
        config = {**operation.get_config(), "name": name}
        if norm:
            config["use_bias"] = True
        layer = self.made[id(operation)] = _public_class(operation).from_config(config)
        result = layer(*args, **kwargs)
        layer.set_weights(
            _folded_weights(operation, norm.operation) if norm else operation.get_weights()
        )
        return result


def _fresh_input(x: Any) -> Any:
    return keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name)


def _comes_apart(layer: keras.Layer) -> bool:
    """Blocks, and whatever holds batch normalization at any depth."""
    return type(layer).__module__.startswith("cnnblocks.") or any(
        isinstance(inner, layers.BatchNormalization) or _comes_apart(inner)
        for inner in sublayers(layer)
    )


def _public_class(layer: keras.Layer) -> type[keras.Layer]:
    """Keras' class of a layer whose class within a block goes by the same name."""
    own = type(layer)
    return next((kind for kind in own.__mro__[1:] if kind.__name__ == own.__name__), own)


def _does_nothing(call: Call) -> bool:
    """Whether a call gives in inference what it got."""
    if type(call.operation).__name__ == "ConvertToTensor":
        return call.inputs[0].dtype == call.outputs[0].dtype
    return isinstance(call.operation, _TRAINING_ONLY)


def _can_take(layer: Any, norm: layers.BatchNormalization, rank: int) -> bool:
    if not isinstance(layer, _FOLDABLE) or layer.activation is not keras.activations.linear:
        return False
    channels_first = getattr(layer, "data_format", None) == "channels_first"
    return norm.axis % rank == (1 if channels_first else rank - 1)


def _folded_weights(layer: Any, norm: layers.BatchNormalization) -> list[np.ndarray]:
    """The weights of `layer` times and plus what batch normalization multiplies and adds."""
    mean, variance = _array(norm.moving_mean), _array(norm.moving_variance)
    scale = 1.0 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale *= _array(norm.gamma)
    offset = _array(norm.beta) if norm.center else 0.0
    *kernels, kernel = [_array(weight) for weight in layer.weights if weight is not layer.bias]
    bias = _array(layer.bias) if layer.use_bias else 0.0
    return [*kernels, _scaled_kernel(layer, kernel, scale), (bias - mean) * scale + offset]


def _scaled_kernel(layer: Any, kernel: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """`kernel` times `scale` along the axis, or axes, that make its output channels."""
    if isinstance(layer, _TRANSPOSED):
        return kernel * scale[:, np.newaxis]
    if isinstance(layer, _DEPTHWISE):
        return kernel * scale.reshape(kernel.shape[-2:])
    return kernel * scale


def _array(variable: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(variable).astype("float64")


def _are_alike(args: Any) -> bool:
    """Whether all arguments are symbolic tensors of one rank, as `layers.Add` takes them."""
    symbolic = all(isinstance(x, keras.KerasTensor) for x in args)
    return symbolic and len(args) > 1 and len({len(x.shape) for x in args}) == 1


def _call_operation(operation: Any, name: str, args: Any, kwargs: Any) -> Any:
    """Call an operation that is no layer, as a layer where there is one that does the same."""
    kind = type(operation).__name__
    if kind == "Add" and _are_alike(args):
        return layers.Add(name=name)(list(args))
    if kind == "Concatenate":
        return layers.Concatenate(operation.axis, name=name)(*args)
    if kind == "ReLU":
        parameters = ("max_value", "negative_slope", "threshold")
        settings = {parameter: getattr(operation, parameter) for parameter in parameters}
        return layers.ReLU(**settings, name=name)(*args)
    return operation(*args, **kwargs)
