"""The arithmetic of one layer, with its numbers."""

from collections.abc import Iterable

from cnnblocks.analysis.columns import memory
from cnnblocks.analysis.layer_table import LayerTable, Row

_CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D")
_DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
_POOLING = tuple(f"{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3))


def explain(table: LayerTable, name: str) -> str:
    """Explain one layer: its output size, parameters, multiply-adds and receptive field.

    Args:
        table: The layer table of the model.
        name: Path of the layer in the table, or a name that only one layer has.

    Returns:
        Lines of text, each formula with the layer's numbers in it.

    Raises:
        AnalysisError: No layer, or several, have the name.

    Example:

        >>> import cnnblocks
        >>> from cnnblocks.analysis import explain
        >>> table = cnnblocks.summarize(cnnblocks.create("lenet5", input_shape=(28, 28, 1)))
        >>> print(explain(table, "stage2_conv"))
        stage2_conv: Conv2D, kernel 5x5, stride 1, padding valid
        Input            12x12x6
        Output           8x8x16
          height         ceil((12 - 5 + 1) / 1) = 8
          width          ceil((12 - 5 + 1) / 1) = 8
        Parameters       5 x 5 x 6 x 16 + 16 = 2,416
        Multiply-adds    8 x 8 x 16 x (5 x 5 x 6) = 153,600
        Receptive field  6 + (5 - 1) x 2 = 14 high and wide, stride 2 x 1 = 2
        Activations      4.0 KiB for 1 image
    """
    row = table[name]
    images = "1 image" if table.batch_size == 1 else f"{table.batch_size} images"
    lines = [
        ("Input", " and ".join(_times(shape, "x") for shape in row.input_shapes) or "none"),
        ("Output", _times(row.output_shape, "x")),
        *_output_sizes(row),
        ("Parameters", _parameters(row)),
        ("Multiply-adds", _multiply_adds(row)),
        ("Receptive field", _receptive_field(table, row)),
        ("Activations", f"{memory(row.activation_bytes)} for {images}"),
    ]
    return "\n".join([_title(row), *(f"{left:<17}{right}" for left, right in lines)])


def _title(row: Row) -> str:
    parts = [row.type]
    if row.kernel_size:
        parts.append(f"kernel {_times(row.kernel_size, 'x')}")
    if row.strides:
        parts.append(f"stride {_one_or_all(row.strides)}")
    if row.padding:
        parts.append(f"padding {row.padding}")
    if row.dilation_rate and set(row.dilation_rate) != {1}:
        parts.append(f"dilation {_one_or_all(row.dilation_rate)}")
    if row.groups and row.groups > 1:
        parts.append(f"{row.groups} groups")
    return f"{row.path}: {', '.join(parts)}"


def _output_sizes(row: Row) -> list[tuple[str, str]]:
    if row.type not in (*_CONVOLUTIONS, *_DEPTHWISE, *_POOLING):
        return []
    lines = []
    names = {1: ["length"], 2: ["height", "width"], 3: ["depth", "height", "width"]}
    sizes = _spatial(row, row.input_shapes[0])
    results = _spatial(row, row.output_shape)
    axes = zip(names[len(sizes)], sizes, _windows(row), row.strides or (), results)
    for name, size, window, stride, result in axes:
        top = f"{size}" if row.padding == "same" else f"({size} - {window} + 1)"
        lines.append((f"  {name}", f"ceil({top} / {stride}) = {result}"))
    return lines


def _parameters(row: Row) -> str:
    if not row.parameters:
        return "counted where the layer was called first" if row.reused else "none"
    if row.children:
        return f"{_sum(child.parameters for child in row.children)} = {row.parameters:,}"
    return f"{_parameter_terms(row)}{row.parameters:,}"


def _parameter_terms(row: Row) -> str:
    """The left side of the equation, with its equals sign, where there is one to show."""
    bias = f" + {_channels(row, row.output_shape)}" if row.use_bias else ""
    if row.type == "BatchNormalization":
        return f"4 x {row.parameters // 4} (gamma, beta, moving mean, moving variance) = "
    if row.type == "Dense":
        return f"{row.input_shapes[0][-1]} x {row.output_shape[-1]}{bias} = "
    if row.type in (*_CONVOLUTIONS, *_DEPTHWISE):
        outputs = _channels(row, row.output_shape)
        return f"{_times(_window_values(row))} x {outputs}{bias} = "
    return ""


def _multiply_adds(row: Row) -> str:
    if row.multiply_adds is None:
        return "unknown: no formula for this type of layer"
    if row.children and row.multiply_adds:
        return f"{_sum(child.multiply_adds for child in row.children)} = {row.multiply_adds:,}"
    if row.type == "Dense":
        return f"{_times((row.input_shapes[0][-1], *row.output_shape))} = {row.multiply_adds:,}"
    if row.type in (*_CONVOLUTIONS, *_DEPTHWISE):
        values = (*_spatial(row, row.output_shape), _channels(row, row.output_shape))
        return f"{_times(values)} x ({_times(_window_values(row))}) = {row.multiply_adds:,}"
    return f"{row.multiply_adds:,}" if row.multiply_adds else "none counted"


def _receptive_field(table: LayerTable, row: Row) -> str:
    if row.receptive_field is None:
        return "unknown: it cannot be told for this layer, or for one before it"
    square = len(set(row.receptive_field)) == 1
    seen = _one_or_all(row.receptive_field) + (" high and wide" if square else "")
    if row.receptive_stride is None:
        return f"{seen}: all positions together"
    sources = [source for source in table.sources(row) if source.receptive_stride]
    if len(sources) == 1 and row.strides and not row.children:
        return _receptive_field_terms(sources[0], row, seen)
    largest = ", all that its inputs see together" if len(sources) > 1 else ""
    return f"{seen}, stride {_one_or_all(row.receptive_stride)}{largest}"


def _receptive_field_terms(source: Row, row: Row, seen: str) -> str:
    before = source.receptive_stride or ()
    terms = zip(source.receptive_field or (), _windows(row), before)
    sizes = dict.fromkeys(f"{size} + ({window} - 1) x {step}" for size, window, step in terms)
    strides = dict.fromkeys(f"{step} x {own}" for step, own in zip(before, row.strides or ()))
    stride = _one_or_all(row.receptive_stride or ())
    return f"{' and '.join(sizes)} = {seen}, stride {' and '.join(strides)} = {stride}"


def _sum(values: Iterable[int | None]) -> str:
    return " + ".join(f"{value:,}" for value in values if value)


def _windows(row: Row) -> list[int]:
    """The reach of the kernel along each axis, dilation included."""
    kernel = row.kernel_size or ()
    dilation = row.dilation_rate or (1,) * len(kernel)
    return [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]


def _window_values(row: Row) -> tuple[int, ...]:
    """What one output value is computed from: kernel size and channels of a group."""
    kernel = row.kernel_size or ()
    if row.type in _DEPTHWISE:
        return kernel
    return (*kernel, _channels(row, row.input_shapes[0]) // (row.groups or 1))


def _spatial(row: Row, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if row.data_format == "channels_first" else shape[:-1]


def _channels(row: Row, shape: tuple[int, ...]) -> int:
    return shape[0] if row.data_format == "channels_first" else shape[-1]


def _times(values: Iterable[int], between: str = " x ") -> str:
    return between.join(f"{value}" for value in values)


def _one_or_all(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else _times(values, "x")
