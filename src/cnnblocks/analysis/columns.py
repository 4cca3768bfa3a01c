"""The columns of a layer table as people read it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """One column: its title, the text of a row's cell, and when to leave it out.

    Attributes:
        key: Name of the column in options.
        title: Heading.
        text: From a row to the text of its cell.
        number: Whether cells stand to the right.
        rank: Columns of higher rank are left out first where room is short.
    """

    key: str
    title: str
    text: Callable[[Any], str]
    number: bool
    rank: int

    def cell(self, row: Any, indent: bool = False) -> str:
        """The text of the row's cell; `indent` shows the depth of a name by spaces."""
        text = self.text(row)
        return "  " * row.depth + text if indent and self.key == "layer" else text


def fitting(rows: Sequence[Any], width: int) -> list[Column]:
    """Return the columns that fit into `width`, two spaces apart."""
    columns = list(COLUMNS)
    while _width(columns, rows) > width and len(columns) > 1:
        columns.remove(max(columns, key=lambda column: column.rank))
    return columns


def _width(columns: list[Column], rows: Sequence[Any]) -> int:
    cells = ([column.title, *(column.cell(row, True) for row in rows)] for column in columns)
    return sum(max(map(len, texts)) + 2 for texts in cells) - 2


def _sizes(sizes: Sequence[int] | None) -> str:
    return "x".join(map(str, sizes or ()))


def _one_or_all(sizes: Sequence[int]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else _sizes(sizes)


def _kernel(row: Any) -> str:
    kernel = _sizes(row.kernel_size)
    if row.strides and set(row.strides) != {1}:
        kernel += f" /{_one_or_all(row.strides)}"
    return kernel.strip()


def _count(value: int | None) -> str:
    if value is None:
        return "?"
    return f"{value:,}" if value else ""


def _share(value: float) -> str:
    return f"{100 * value:.1f}%" if value else ""


def _field(row: Any) -> str:
    if row.receptive_field is None:
        return "?"
    stride = _one_or_all(row.receptive_stride) if row.receptive_stride else "-"
    return f"{_one_or_all(row.receptive_field)} /{stride}"


def memory(size_in_bytes: int) -> str:
    """A number of bytes for people."""
    size = float(size_in_bytes)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


COLUMNS = (
    Column("layer", "Layer", lambda row: row.name, False, 0),
    Column("type", "Type", lambda row: row.type, False, 4),
    Column("kernel", "Kernel", _kernel, False, 5),
    Column("output", "Output", lambda row: _sizes(row.output_shape), False, 1),
    Column("parameters", "Parameters", lambda row: _count(row.parameters), True, 2),
    Column("parameter-share", "Share", lambda row: _share(row.parameter_share), True, 8),
    Column("trainable", "Trained", lambda row: row.trainable, False, 10),
    Column("multiply-adds", "Multiply-adds", lambda row: _count(row.multiply_adds), True, 3),
    Column("multiply-add-share", "Share", lambda row: _share(row.multiply_add_share), True, 9),
    Column("receptive-field", "Field", _field, True, 6),
    Column("memory", "Memory", lambda row: memory(row.activation_bytes), True, 7),
)
