"""The layer table: what a model is made of, as a tree of rows with totals."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from cnnblocks.analysis.columns import COLUMNS, fitting, memory
from cnnblocks.analysis.errors import AnalysisError


@dataclass
class Row:
    """One layer, or one operation inside a layer.

    Attributes:
        name: Name of the layer, or what the operation does.
        path: Names from the model down to it, joined by `/`; unique in the table.
        type: Class name.
        depth: 0 for the model's own layers, 1 for what is inside those, ...
        kernel_size: Height and width of the kernel or pooling window, where there is one.
        strides: Its strides.
        padding: `"same"`, `"valid"`, or `None`.
        dilation_rate: Its dilation, where there is one.
        groups: Number of groups of a convolution's channels.
        use_bias: Whether there is a bias, where there could be one.
        data_format: `"channels_last"` or `"channels_first"`, where it matters.
        input_shapes: Shapes of what it gets, without the batch.
        output_shape: Shape of what it gives, without the batch.
        dtype: Dtype of what it gives.
        parameters: Number of its parameters, those inside included.
        parameter_share: Their share of the model's.
        trainable_parameters: How many of them are trained.
        multiply_adds: Multiply-adds for one image; `None` where no formula is known.
        multiply_add_share: Their share of the model's.
        receptive_field: Height and width of the part of the image that one value sees; `None`
            where it cannot be told.
        receptive_stride: Pixels of the image between neighbouring values; `None` where no
            neighbours are left, as after global pooling.
        activation_bytes: Memory of its output for one batch, or of the outputs inside.
        inputs: Paths of the rows whose outputs it gets; the path of its parent stands for the
            parent's own input, and an empty list for the model's.
        reused: Whether the layer was called before, so that its parameters count above.
        children: What is inside.
    """

    name: str
    path: str
    type: str
    depth: int
    kernel_size: tuple[int, ...] | None
    strides: tuple[int, ...] | None
    padding: str | None
    dilation_rate: tuple[int, ...] | None
    groups: int | None
    use_bias: bool | None
    data_format: str | None
    input_shapes: list[tuple[int, ...]]
    output_shape: tuple[int, ...]
    dtype: str
    parameters: int
    trainable_parameters: int
    multiply_adds: int | None
    receptive_field: tuple[int, ...] | None
    receptive_stride: tuple[int, ...] | None
    activation_bytes: int
    inputs: list[str]
    reused: bool
    children: list["Row"] = field(default_factory=list)
    parameter_share: float = 0.0
    multiply_add_share: float = 0.0

    @property
    def trainable(self) -> str:
        """`"yes"`, `"no"` or `"partly"`; empty without parameters."""
        if not self.parameters:
            return ""
        if self.trainable_parameters == self.parameters:
            return "yes"
        return "partly" if self.trainable_parameters else "no"

    def walk(self, depth: int | None = None) -> Iterator["Row"]:
        """This row and those inside, down to `depth`."""
        yield self
        if depth is None or self.depth < depth:
            for child in self.children:
                yield from child.walk(depth)

    def to_json(self) -> dict[str, Any]:
        """The row and those inside as a JSON object."""
        values = {name: getattr(self, name) for name in _JSON_FIELDS}
        return {**values, "children": [child.to_json() for child in self.children]}


_JSON_FIELDS = (
    *("name", "path", "type", "depth", "kernel_size", "strides", "padding", "dilation_rate"),
    *("groups", "use_bias", "data_format", "input_shapes", "output_shape", "dtype"),
    *("parameters", "parameter_share", "trainable_parameters", "trainable"),
    *("multiply_adds", "multiply_add_share", "receptive_field", "receptive_stride"),
    *("activation_bytes", "inputs", "reused"),
)


@dataclass(frozen=True)
class Totals:
    """Sums over a model.

    Attributes:
        parameters: Number of parameters.
        trainable_parameters: How many of them are trained.
        multiply_adds: Multiply-adds of convolutions and Dense layers for one image.
        unknown_multiply_adds: Paths of layers left out of that sum, as no formula is known.
        weight_bytes: Memory of the parameters.
        activation_bytes: Memory of all outputs for one batch, which training keeps.
    """

    parameters: int
    trainable_parameters: int
    multiply_adds: int
    unknown_multiply_adds: list[str]
    weight_bytes: int
    activation_bytes: int


@dataclass(frozen=True)
class LayerTable:
    """What a model is made of; made by `cnnblocks.summarize`.

    Printing it gives a table for a terminal of 80 columns.

    Attributes:
        model: Name of the model.
        input_shapes: Shapes of one image, or of each input.
        batch_size: Number of images in the batch whose activations are counted.
        rows: The model's own layers; what is inside a layer is in its `children`.
        totals: Sums over the model.
    """

    model: str
    input_shapes: list[tuple[int, ...]]
    batch_size: int
    rows: list[Row]
    totals: Totals

    def walk(self, depth: int | None = None) -> Iterator[Row]:
        """All rows in order, each before those inside it, down to `depth`."""
        for row in self.rows:
            yield from row.walk(depth)

    def __getitem__(self, name: str) -> Row:
        """The row of a path, or of a name that only one row has.

        Raises:
            AnalysisError: No row or several have the name; the message lists what is near.
        """
        rows = list(self.walk())
        found = [row for row in rows if row.path == name] or [
            row for row in rows if row.path.endswith("/" + name)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            paths = ", ".join(row.path for row in found[:6])
            raise AnalysisError(f"{name!r} is the name of {len(found)} layers. Say which: {paths}")
        near = _near(name, [row.path for row in rows])
        raise AnalysisError(f"{self.model} has no layer {name!r}. There are {near}.")

    def sources(self, row: Row) -> list[Row]:
        """The rows whose outputs `row` gets, looked up outside a layer where it is the first."""
        rows = {other.path: other for other in self.walk()}
        found: list[Row] = []
        for path in row.inputs:
            inside = row.path.startswith(f"{path}/")
            found += self.sources(rows[path]) if inside else [rows[path]]
        return found

    def to_json(self) -> dict[str, Any]:
        """The table as a JSON object, rows nested."""
        return {
            "schema": 1,
            "model": self.model,
            "input_shapes": self.input_shapes,
            "batch_size": self.batch_size,
            "rows": [row.to_json() for row in self.rows],
            "totals": vars(self.totals),
        }

    def to_csv(self, depth: int | None = None) -> str:
        """The table as comma-separated values, a line for each row, numbers unformatted."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_CSV_FIELDS)
        for row in self.walk(depth):
            writer.writerow([_csv_cell(getattr(row, name)) for name in _CSV_FIELDS])
        return text.getvalue()

    def to_markdown(self, depth: int | None = None) -> str:
        """The table in Markdown, with a line of totals below."""
        rows = [[column.cell(row) for column in COLUMNS] for row in self.walk(depth)]
        rules = ["---:" if column.number else "---" for column in COLUMNS]
        lines = [[column.title for column in COLUMNS], rules, *rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{table}\n\n{self.footer()}\n"

    def to_text(self, width: int = 80, depth: int | None = None) -> str:
        """The table for a terminal; columns that do not fit into `width` are left out."""
        rows = list(self.walk(depth))
        columns = fitting(rows, width)
        lines = [[column.title for column in columns]]
        lines += [[column.cell(row, indent=True) for column in columns] for row in rows]
        widths = [max(map(len, cells)) for cells in zip(*lines)]
        lines.insert(1, ["-" * size for size in widths])
        text = [
            "  ".join(
                cell.rjust(size) if column.number else cell.ljust(size)
                for cell, size, column in zip(line, widths, columns)
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*text, "", self.footer()])

    def footer(self) -> str:
        """The totals in words."""
        totals = self.totals
        frozen = totals.parameters - totals.trainable_parameters
        unknown = len(totals.unknown_multiply_adds)
        images = f"{self.batch_size} image{'s' if self.batch_size > 1 else ''}"
        parts = [
            f"{totals.parameters:,} parameters ({frozen:,} not trained, "
            f"{memory(totals.weight_bytes)})",
            f"{totals.multiply_adds:,} multiply-adds for one image"
            + (f" (without {unknown} layers of unknown arithmetic)" if unknown else ""),
            f"{memory(totals.activation_bytes)} of activations for {images}",
        ]
        return "\n".join(parts)

    def __str__(self) -> str:
        return self.to_text()


_CSV_FIELDS = (
    *("path", "depth", "type", "kernel_size", "strides", "output_shape", "parameters"),
    *("parameter_share", "trainable_parameters", "multiply_adds", "multiply_add_share"),
    *("receptive_field", "receptive_stride", "activation_bytes"),
)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return f"{value:.6f}" if isinstance(value, float) else value


def _near(name: str, paths: list[str]) -> str:
    close = get_close_matches(name, paths, n=4, cutoff=0.4)
    return ", ".join(close or paths[:8] + ["..."] * (len(paths) > 8))
