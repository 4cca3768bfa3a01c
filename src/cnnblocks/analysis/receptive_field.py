"""Which part of the image a value sees."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from keras import layers

from cnnblocks.analysis.arithmetic import spatial

Sizes = tuple[int, ...]

_CONVOLUTION = (
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    layers.SeparableConv1D,
    layers.SeparableConv2D,
)
_POOLING = (
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
)
_WHOLE = (
    layers.Flatten,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)
_PADDING = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
_CROPPING = (layers.Cropping1D, layers.Cropping2D, layers.Cropping3D)
_POINTWISE = (
    layers.Activation,
    layers.AlphaDropout,
    layers.BatchNormalization,
    layers.Dense,
    layers.Dropout,
    layers.ELU,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.LeakyReLU,
    layers.Normalization,
    layers.PReLU,
    layers.ReLU,
    layers.Rescaling,
    layers.Softmax,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.Add,
    layers.Average,
    layers.Concatenate,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.Subtract,
)
# Operations of keras.ops, which are no layers and whose classes are not public.
_POINTWISE_OPERATIONS = {
    *("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Concatenate"),
    *("Relu", "ReLU", "Relu6", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Silu", "Softplus"),
    *("Sigmoid", "HardSigmoid", "HardSilu", "LogSigmoid", "Tanh", "HardTanh", "TanhShrink"),
    *("Softsign", "SoftShrink", "HardShrink", "SquarePlus", "Threshold", "Glu", "Exp", "Square"),
    *("Negative", "Absolute", "Sqrt", "Clip", "Cast", "ConvertToTensor", "Identity"),
}


@dataclass(frozen=True)
class Field:
    """The pixels that the value at position `p` of a feature map depends on.

    Along each axis they are `p * stride - before` to `p * stride + after`, in pixels of the image.
    `stride` is empty where there are no positions left, as after global pooling.
    """

    before: Sizes
    after: Sizes
    stride: Sizes

    @property
    def size(self) -> Sizes:
        """Height and width of the field."""
        return tuple(b + a + 1 for b, a in zip(self.before, self.after))


def of_image(dimensions: int) -> Field:
    """The field of a pixel: itself."""
    return Field((0,) * dimensions, (0,) * dimensions, (1,) * dimensions)


def after(
    operation: Any, fields: Iterable[Field | None], shape: tuple, image: Sizes
) -> Field | None:
    """Return the field after `operation`, or `None` where it cannot be told.

    Args:
        operation: The layer or operation.
        fields: The fields of its inputs.
        shape: The shape of its first input, with the batch.
        image: Height and width of the image.
    """
    field = _union(list(fields))
    if field is None or isinstance(operation, _POINTWISE):
        return field
    if type(operation).__name__ in _POINTWISE_OPERATIONS:
        return field
    if not field.stride:
        return field if isinstance(operation, layers.Flatten) else None
    if isinstance(operation, _WHOLE):
        return _whole(field, spatial(operation, shape), image)
    if isinstance(operation, _CONVOLUTION):
        window = [d * (k - 1) + 1 for k, d in zip(operation.kernel_size, operation.dilation_rate)]
        return _slide(field, operation, window, spatial(operation, shape))
    if isinstance(operation, _POOLING):
        return _slide(field, operation, operation.pool_size, spatial(operation, shape))
    if isinstance(operation, _PADDING):
        return _shift(field, [_pair(side)[0] for side in _sides(operation.padding)])
    if isinstance(operation, _CROPPING):
        return _shift(field, [-_pair(side)[0] for side in _sides(operation.cropping)])
    return None


def _union(fields: list[Field | None]) -> Field | None:
    """The field of values that are added or joined: all that any of them sees."""
    known = [field for field in fields if field is not None]
    if not known or len(known) < len(fields):
        return None
    strides = {field.stride for field in known if field.stride}
    if len(strides) > 1:
        return None
    return Field(
        tuple(map(max, *(field.before for field in known), known[0].before)),
        tuple(map(max, *(field.after for field in known), known[0].after)),
        strides.pop() if strides else (),
    )


def _slide(field: Field, layer: Any, window: Iterable[int], sizes: Sizes) -> Field:
    """The field after a window of `window` values, moved by the layer's strides, over `sizes`."""
    before, reach, strides = [], [], []
    for axis, (width, step, size) in enumerate(zip(window, layer.strides, sizes)):
        stride = field.stride[axis]
        padded = _padding_before(layer.padding, width, step, size)
        before.append(field.before[axis] + padded * stride)
        reach.append(field.after[axis] + (width - 1 - padded) * stride)
        strides.append(stride * step)
    return Field(tuple(before), tuple(reach), tuple(strides))


def _padding_before(padding: str, width: int, step: int, size: int) -> int:
    if padding == "valid":
        return 0
    if padding == "causal":
        return width - 1
    outputs = -(-size // step)
    return max((outputs - 1) * step + width - size, 0) // 2


def _whole(field: Field, sizes: Sizes, image: Sizes) -> Field:
    """The field of all positions together, without what lies outside the image."""
    seen = []
    for axis, (size, pixels) in enumerate(zip(sizes, image)):
        first = max(-field.before[axis], 0)
        last = min((size - 1) * field.stride[axis] + field.after[axis], pixels - 1)
        seen.append(last - first)
    return Field((0,) * len(seen), tuple(seen), ())


def _shift(field: Field, amounts: list[int]) -> Field:
    moved = [amount * stride for amount, stride in zip(amounts, field.stride)]
    return Field(
        tuple(b + m for b, m in zip(field.before, moved)),
        tuple(a - m for a, m in zip(field.after, moved)),
        field.stride,
    )


def _sides(padding: Any) -> Any:
    return (padding,) if isinstance(padding[0], int) else padding


def _pair(side: Any) -> tuple[int, int]:
    return (side, side) if isinstance(side, int) else side
