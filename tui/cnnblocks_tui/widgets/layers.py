"""The layer table: a tree that folds, in columns, and the picture of an architecture."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from textual.widgets import DataTable

from cnnblocks_tui import wording
from cnnblocks_tui.widgets.lists import Table

Layer = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of the layer table."""

    key: str
    label: str
    width: int


COLUMNS = (
    Column("name", "layer", 24),
    Column("output", "output", 12),
    Column("parameters", "params", 8),
    Column("share", "share", 7),
    Column("multiply_adds", "mult-adds", 9),
    Column("multiply_add_share", "share", 7),
    Column("kernel", "kernel", 9),
    Column("type", "type", 15),
    Column("receptive", "sees", 8),
    Column("memory", "memory", 9),
    Column("trainable", "trained", 7),
)
SORTS = ("order", "parameters", "multiply_adds", "activation_bytes", "name")


def walk(rows: Sequence[Layer]) -> Iterator[Layer]:
    """All rows, those inside others behind them."""
    for row in rows:
        yield row
        yield from walk(row.get("children") or [])


def kernel_text(row: Layer) -> str:
    """Kernel, stride and padding as `3×3/2 s`."""
    if not row.get("kernel_size"):
        return ""
    strides = row.get("strides") or [1]
    padding = {"same": " s", "valid": " v"}.get(str(row.get("padding")), "")
    return f"{wording.shape(row['kernel_size'])}/{max(strides)}{padding}"


def cell(row: Layer, key: str) -> str:
    """What a column says of a row."""
    if key == "output":
        return wording.shape(row.get("output_shape") or ())
    if key == "parameters":
        return wording.count(row["parameters"]) if row["parameters"] else ""
    if key == "share":
        return wording.percent(row["parameter_share"]) if row["parameters"] else ""
    if key == "multiply_adds":
        return wording.count(row["multiply_adds"]) if row.get("multiply_adds") else ""
    if key == "multiply_add_share":
        share = row.get("multiply_add_share")
        return wording.percent(share) if share else ""
    if key == "kernel":
        return kernel_text(row)
    if key == "receptive":
        return wording.shape(row["receptive_field"]) if row.get("receptive_field") else ""
    if key == "memory":
        return wording.size(row.get("activation_bytes"))
    return str(row.get(key) or "")


class LayerTable(Table):
    """The layers of a network, with what is inside blocks folded away until asked for.

    Right or enter unfolds, left folds; a click on a heading sorts.
    """

    HELP = (
        "The layers. Right unfolds a block, left folds it; z folds or unfolds all; s sorts. "
        "Mult-adds are multiply-adds for one image; 'sees' is the receptive field in pixels."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row")
        self.rows_shown: list[Layer] = []
        self.chosen_columns: list[str] | None = None
        self.sort_by = "order"
        self.query_text = ""
        self._rows: list[Layer] = []
        self._open: set[str] = set()
        self._room = 0

    def load(self, rows: Sequence[Layer]) -> None:
        """Show these rows; what was unfolded by path stays so."""
        self._rows = list(rows)
        self._rebuild()

    def narrow(self, query: str) -> None:
        """Show only rows, at any depth, whose name or type has the words of the query."""
        self.query_text = query.lower()
        self._rebuild()

    def sort_next(self) -> str:
        """Sort by the next quantity and return its name."""
        self.sort_by = SORTS[(SORTS.index(self.sort_by) + 1) % len(SORTS)]
        self._rebuild()
        return self.sort_by

    def fold_all(self) -> None:
        """Fold everything when something is unfolded, else unfold everything."""
        everything = {str(row["path"]) for row in walk(self._rows) if row.get("children")}
        self._open = set() if self._open else everything
        self._rebuild()

    def choose_columns(self, keys: list[str] | None) -> None:
        """Show these columns; `None` for those that fit."""
        self.chosen_columns = keys
        self._room = 0
        self._rebuild()

    def on_resize(self) -> None:
        if self._room != self.size.width:
            self._rebuild()

    def action_go_left(self) -> None:
        row = self._under_cursor()
        if row is None:
            return
        if row["path"] in self._open:
            self._open.discard(row["path"])
            self._rebuild()
        elif row["depth"]:
            parent = str(row["path"]).rsplit("/", 1)[0]
            paths = [str(shown["path"]) for shown in self.rows_shown]
            if parent in paths:
                self.move_cursor(row=paths.index(parent))

    def action_go_right(self) -> None:
        row = self._under_cursor()
        if row is not None and row.get("children"):
            self._open.add(row["path"])
            self._rebuild()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        row = self._under_cursor()
        if row is not None and row["path"] in self._open:
            self.action_go_left()
        else:
            self.action_go_right()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        sort = {"name": "order", "memory": "activation_bytes"}.get(
            str(event.column_key.value), str(event.column_key.value)
        )
        sort = "multiply_adds" if sort == "multiply_add_share" else sort
        sort = "parameters" if sort == "share" else sort
        if sort in SORTS:
            self.sort_by = sort
            self._rebuild()

    def _under_cursor(self) -> Layer | None:
        if 0 <= self.cursor_row < len(self.rows_shown):
            return self.rows_shown[self.cursor_row]
        return None

    def _visible(self, rows: Sequence[Layer]) -> list[Layer]:
        if self.query_text:
            return self._sorted([row for row in walk(rows) if self._fits(row)])
        found: list[Layer] = []
        for row in self._sorted(rows):
            found.append(row)
            if row["path"] in self._open:
                found += self._visible(row["children"])
        return found

    def _fits(self, row: Layer) -> bool:
        words = f"{row['path']} {row['type']}".lower()
        return all(word in words for word in self.query_text.split())

    def _sorted(self, rows: Sequence[Layer]) -> list[Layer]:
        if self.sort_by == "order":
            return list(rows)
        if self.sort_by == "name":
            return sorted(rows, key=lambda row: str(row["name"]))
        return sorted(rows, key=lambda row: -(row.get(self.sort_by) or 0))

    def _columns_that_fit(self) -> list[Column]:
        if self.chosen_columns:
            return [c for c in COLUMNS if c.key == "name" or c.key in self.chosen_columns]
        name = COLUMNS[0] if self.size.width >= 76 else Column("name", "layer", 18)
        room, found = self.size.width - 1 - name.width - 2, [name]
        for column in COLUMNS[1:]:
            room -= column.width + 2
            if room < 0:
                break
            found.append(column)
        return found

    def _rebuild(self) -> None:
        before = self._under_cursor()
        if not self.size.width:
            return
        columns = self._columns_that_fit()
        now = [(key.value, column.width) for key, column in self.columns.items()]
        if [(column.key, column.width) for column in columns] != now:
            self.clear(columns=True)
            for column in columns:
                self.add_column(column.label, width=column.width, key=column.key)
        self._room = self.size.width
        self.clear()
        self.rows_shown = self._visible(self._rows)
        for row in self.rows_shown:
            self.add_row(*(self._cell(row, column) for column in columns), key=row["path"])
        paths = [row["path"] for row in self.rows_shown]
        if before is not None and before["path"] in paths:
            self.move_cursor(row=paths.index(before["path"]), animate=False)

    def _cell(self, row: Layer, column: Column) -> Text:
        if column.key != "name":
            text = cell(row, column.key)
            right = column.key in ("parameters", "share", "multiply_adds", "multiply_add_share")
            return Text(text, justify="right" if right else "left")
        sign = "  "
        if row.get("children"):
            sign = "▾ " if row["path"] in self._open else "▸ "
        indent = "" if self.query_text else "  " * int(row["depth"])
        name = str(row["path"]) if self.query_text else str(row["name"])
        return Text(indent + sign + name, style="" if row["depth"] else "bold")


def as_csv(rows: Sequence[Layer]) -> str:
    """All rows, those inside blocks too, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    keys = ("path", "type", "output_shape", "parameters", "parameter_share", "multiply_adds")
    more = ("multiply_add_share", "kernel_size", "strides", "padding", "receptive_field")
    names = (*keys, *more, "activation_bytes", "trainable")
    writer.writerow(names)
    for row in walk(rows):
        writer.writerow([_plain(row.get(name)) for name in names])
    return text.getvalue()


def as_markdown(rows: Sequence[Layer]) -> str:
    """All rows, those inside blocks indented, as a Markdown table."""
    lines = [
        "| " + " | ".join(column.label for column in COLUMNS) + " |",
        "|" + " --- |" * len(COLUMNS),
    ]
    for row in walk(rows):
        indent = "&nbsp;" * 2 * int(row["depth"])
        cells = [indent + str(row["name"]), *(cell(row, c.key) for c in COLUMNS[1:])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(str(item) for item in value)
    return "" if value is None else str(value)
