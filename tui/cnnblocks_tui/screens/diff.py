"""Two weight files side by side: what only one has, what changed, and how."""

import asyncio
import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Input, Static, TabbedContent, TabPane

from cnnblocks.errors import CnnblocksError
from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings
from cnnblocks_tui.screens.base import Place
from cnnblocks_tui.screens.run import step_tab
from cnnblocks_tui.screens.saving import save, write_text
from cnnblocks_tui.widgets.chart import Chart, Series
from cnnblocks_tui.widgets.lists import Table
from cnnblocks_tui.widgets.pixels import Pixels

if TYPE_CHECKING:
    from cnnblocks.weights import TableDifference, Tensor, TensorDifference, WeightTable

_BINS = 80


@dataclass(frozen=True)
class Pair:
    """A line of the comparison.

    Attributes:
        sign: `=` equal, `~` changed, `#` another shape, `<` and `>` in one file only.
        name: The tensor's name in the first file that has it.
        a: The tensor in the first file.
        b: The tensor in the second.
        difference: The numbers, where both have it.
    """

    sign: str
    name: str
    a: "Tensor | None"
    b: "Tensor | None"
    difference: "TensorDifference | None" = None

    @property
    def shape(self) -> str:
        tensor = self.a or self.b
        assert tensor is not None
        text = wording.shape(tensor.shape)
        return f"{text} ≠ {wording.shape(self.b.shape)}" if self.sign == "#" and self.b else text

    def number(self, key: str) -> float:
        """A number to sort by; what cannot be compared comes first."""
        if self.difference is None:
            return math.inf
        value = float(getattr(self.difference, key))
        return math.inf if math.isnan(value) else value


SIGNS = {
    "=": "equal",
    "~": "changed",
    "#": "another shape",
    "<": "only in the first",
    ">": "only in the second",
}
COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("sign", " ", 1),
    ("name", "tensor", 24),
    ("relative", "change", 8),
    ("max_abs", "largest", 9),
    ("cosine", "cosine", 8),
    ("shape", "shape", 12),
    ("mean_abs", "mean", 9),
)


def pairs_of(found: "TableDifference") -> list[Pair]:
    """The comparison's lines: what one file lacks first, then the tensors of both."""
    pairs = [Pair("<", tensor.name, tensor, None) for tensor in found.only_a]
    pairs += [Pair(">", tensor.name, None, tensor) for tensor in found.only_b]
    for row in found.common:
        sign = "=" if row.equal else "~" if row.same_shape else "#"
        pairs.append(Pair(sign, row.a.name, row.a, row.b, row))
    return pairs


class DiffScreen(Place):
    """A comparison of two weight files.

    Args:
        first: One file.
        second: The other; changes are told as second minus first.
    """

    NAME = "diff"
    HELP = (
        "Two weight files. The sign before a tensor says: = equal, ~ changed, # another shape, "
        "< only in the first, > only in the second. 'Change' is the norm of the difference over "
        "the norm of the first."
    )
    CSS_PATH = "diff.tcss"
    BINDINGS = bindings("diff", "tabs")
    SORTS: ClassVar[dict[str, Callable[[Pair], Any]]] = {
        "relative": lambda pair: -pair.number("relative"),
        "max_abs": lambda pair: -pair.number("max_abs"),
        "cosine": lambda pair: pair.difference.cosine if pair.difference else -2.0,
        "name": lambda pair: pair.name,
        "file": lambda pair: 0,
    }

    def __init__(self, first: Path, second: Path) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.pairs: list[Pair] = []
        self.found: TableDifference | None = None
        self._tables: list[WeightTable] = []
        self._reading = threading.Lock()
        self._cancelled = threading.Event()
        self._only_changed = False
        self._columns: list[tuple[str, str, int]] = []
        self._shown: list[Pair] = []

    def compose_body(self) -> ComposeResult:
        yield Static(id="diff-head")
        yield Input(placeholder="name, !word leaves out", classes="filter -idle")
        with Container(id="diff-main"):
            with Vertical(id="diff-left"):
                yield Table(id="diff-table", cursor_type="row")
            with Vertical(id="diff-right"):
                yield Static(id="diff-text")
                with TabbedContent(id="diff-tabs"):
                    with TabPane("Histograms", id="tab-histograms"):
                        yield Chart(
                            "values",
                            id="histograms",
                            x_format=wording.number,
                            empty="",
                            tells_last=False,
                        )
                    with TabPane("Difference", id="tab-difference"):
                        yield Pixels(id="difference", empty="")

    def on_mount(self) -> None:
        self.query_one(Table).focus()
        self.in_background(self._compare, group="compare")

    def on_unmount(self) -> None:
        self._close()

    def on_resize(self, event: Any) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._fill)

    def focus_main(self) -> None:
        self.query_one(Table).focus()

    def _close(self) -> None:
        """Give up reading the files, and close them once the thread that reads has noticed."""
        self._cancelled.set()
        self.workers.cancel_group(self, "pair")
        self.found = None
        tables, self._tables = self._tables, []

        def close() -> None:
            with self._reading:
                for table in tables:
                    table.close()

        threading.Thread(target=close, name="closes two weight files").start()

    async def _compare(self) -> None:
        from cnnblocks import weights

        self._close()
        head = self.query_one("#diff-head", Static)
        head.update(Text(f"Comparing {self.first.name} with {self.second.name} …"))
        cancelled = self._cancelled = threading.Event()
        tables = self._tables
        paths = (self.first, self.second)
        loop = asyncio.get_running_loop()
        share = {"step": -1}

        def tell(step: int) -> None:
            if not cancelled.is_set():
                bar = wording.bar(step / 50, 20)
                head.update(f"comparing {bar} {2 * step} % (ctrl+x gives up)")

        def progress(done: int, total: int) -> None:
            step = int(50 * done / total) if total else 50
            if step != share["step"]:
                share["step"] = step
                loop.call_soon_threadsafe(tell, step)

        def compare() -> "TableDifference":
            with self._reading:
                for path in paths:
                    if cancelled.is_set():
                        raise weights.Cancelled
                    tables.append(weights.open(path))
                return weights.diff(*tables, progress=progress, cancelled=cancelled.is_set)

        try:
            self.found = await asyncio.to_thread(compare)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        except weights.Cancelled:
            return
        except (CnnblocksError, OSError) as error:
            head.update(Text(str(error)))
            return
        self.pairs = pairs_of(self.found)
        loop.call_soon(self._finish)

    def _finish(self) -> None:
        self._show_head()
        self._fill()

    def _show_head(self) -> None:
        counts = {sign: sum(pair.sign == sign for pair in self.pairs) for sign in SIGNS}
        together = self.first.parent == self.second.parent
        text = Text()
        for sign, path in (("<", self.first), (">", self.second)):
            text.append(f"{sign} ", style="bold")
            text.append(path.name if together else str(path))
            text.append("  " if together and sign == "<" else "\n")
        told = [f"{sign} {count} {SIGNS[sign]}" for sign, count in counts.items() if count]
        same = self.found is not None and self.found.equal
        text.append("The files are equal. " if same else "", style="bold")
        text.append(" · ".join(told), style="dim")
        self.query_one("#diff-head", Static).update(text)

    def _visible(self) -> list[Pair]:
        words = self.query_one(Input).value.lower().split()
        found = [pair for pair in self.pairs if not self._only_changed or pair.sign != "="]
        for word in words:
            if word.startswith("!") and len(word) > 1:
                found = [pair for pair in found if word[1:] not in pair.name.lower()]
            else:
                found = [pair for pair in found if word in pair.name.lower()]
        return sorted(found, key=self.SORTS[self._sort()])

    def _sort(self) -> str:
        sort = self.view.get("sort", "relative")
        return sort if sort in self.SORTS else "relative"

    def _fill(self) -> None:
        table = self.query_one(Table)
        room = (table.size.width or self.size.width) - 1
        columns = []
        for column in COLUMNS:
            room -= column[2] + 2
            if room >= 0:
                columns.append(column)
        if columns != self._columns:
            self._columns = columns
            table.clear(columns=True)
            for key, label, width in columns:
                table.add_column(label, width=width, key=key)
        self._shown = self._visible()
        cursor = table.cursor_row
        table.clear()
        for pair in self._shown:
            table.add_row(*(self._cell(pair, key) for key, _, _ in columns))
        table.move_cursor(row=min(cursor, max(0, len(self._shown) - 1)), animate=False)

    def _cell(self, pair: Pair, key: str) -> Text:
        if key == "sign":
            colors = {"~": "warning", "#": "error", "<": "accent", ">": "accent"}
            color = self.app.theme_variables.get(colors.get(pair.sign, ""), "")
            return Text(pair.sign, f"bold {color}")
        if key in ("name", "shape"):
            return Text(str(getattr(pair, key)))
        row = pair.difference
        if row is None or not row.same_shape:
            return Text("–", justify="right")
        value = float(getattr(row, key))
        text = wording.percent(value) if key == "relative" else wording.number(value)
        return Text(text, justify="right")

    def on_data_table_row_highlighted(self) -> None:
        self._show_pair()

    def on_tabbed_content_tab_activated(self) -> None:
        self._show_pair()

    def _show_pair(self) -> None:
        row = self.query_one(Table).cursor_row
        if self.found is not None and 0 <= row < len(self._shown):
            self.in_background(self._draw_pair, self._shown[row], group="pair")

    async def _draw_pair(self, pair: Pair) -> None:
        await asyncio.sleep(0.08)
        text = Text.assemble((pair.name, "bold"), f"  {SIGNS[pair.sign]}")
        if pair.b is not None and pair.a is not None and pair.b.name != pair.a.name:
            text.append(f"  = {pair.b.name}", style="dim")
        self.query_one("#diff-text", Static).update(text)
        histograms = self.query_one("#diff-tabs", TabbedContent).active == "tab-histograms"
        draw = self._draw_histograms if histograms else self._draw_difference
        try:
            await draw(pair)
        except (CnnblocksError, OSError, ValueError) as error:
            self.query_one("#diff-text", Static).update(Text(str(error)))

    async def _draw_histograms(self, pair: Pair) -> None:
        tensors = [(self.first, pair.a, 0), (self.second, pair.b, 1)]
        known = [(path, tensor, color) for path, tensor, color in tensors if tensor is not None]

        def read(cancelled: threading.Event) -> list[Series]:
            from cnnblocks_tui.weight_numbers import histogram_series

            return histogram_series(known, _BINS, cancelled)

        from cnnblocks_tui.weight_reading import read_in_thread

        series = await read_in_thread(self._reading, read)
        self.query_one("#histograms", Chart).draw(series)

    async def _draw_difference(self, pair: Pair) -> None:
        from cnnblocks_tui.weight_reading import (
            Plane,
            default_slice,
            read_in_thread,
            read_plane,
            reading_of,
        )

        pixels = self.query_one("#difference", Pixels)
        a, b = pair.a, pair.b
        if a is None or b is None or a.shape != b.shape:
            pixels.say("There is no difference to draw: the shapes are not the same.")
            return
        expression = default_slice(a)

        def read(cancelled: threading.Event) -> Plane:
            first, second = (read_plane(tensor, expression, cancelled) for tensor in (a, b))
            return replace(second, values=second.values - first.values)

        plane = await read_in_thread(self._reading, read)
        pixels.show(
            plane.values,
            scale="diverging",
            caption=f"second − first, {expression}   z: zoom",
            whole=True,
            read=lambda row, column: reading_of(plane, (), row, column),
        )

    def on_input_changed(self) -> None:
        self._fill()

    def on_input_submitted(self) -> None:
        self.focus_main()

    def on_data_table_header_selected(self, event: Table.HeaderSelected) -> None:
        if event.column_key.value in self.SORTS:
            self._sort_by(str(event.column_key.value))

    def action_next_tab(self) -> None:
        step_tab(self.query_one("#diff-tabs", TabbedContent), 1)

    def action_previous_tab(self) -> None:
        step_tab(self.query_one("#diff-tabs", TabbedContent), -1)

    def action_filter(self) -> None:
        self.open_filter("Input")

    def action_changed(self) -> None:
        self._only_changed = not self._only_changed
        self._fill()
        self.notify("Only what differs" if self._only_changed else "Everything")

    def action_sort(self) -> None:
        names = list(self.SORTS)
        self._sort_by(names[(names.index(self._sort()) + 1) % len(names)])

    def _sort_by(self, sort: str) -> None:
        self.view["sort"] = sort
        self._fill()
        self.notify(f"Sorted by {sort.replace('_', ' ')}")

    def action_swap(self) -> None:
        self.first, self.second = self.second, self.first
        self.in_background(self._compare, group="compare")

    def action_cancel(self) -> None:
        if self.workers.cancel_group(self, "compare"):
            self._cancelled.set()
            text = "Given up. Press escape to go back, x to compare again."
            self.query_one("#diff-head", Static).update(text)

    def action_export(self) -> None:
        found = self.found
        if found is None:
            return

        async def write(path: Path) -> None:
            await write_text(path, json.dumps(found.to_json(), indent=1) + "\n")

        name = f"{self.first.stem}-{self.second.stem}.json"
        save(self, "Write the comparison to", name, write)
