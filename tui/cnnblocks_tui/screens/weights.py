"""Inside a weight file: its tree, its values, its kernels, its numbers."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input, OptionList, Static, TabbedContent, TabPane, Tree
from textual.widgets.option_list import Option

from cnnblocks.errors import CnnblocksError
from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings
from cnnblocks_tui.opening import (
    OpeningError,
    checkpoint_prefix,
    holds,
    kind_of,
    newest,
    weight_files,
)
from cnnblocks_tui.screens.base import Place
from cnnblocks_tui.screens.browse import Browse
from cnnblocks_tui.screens.dialogs import Ask, Choose
from cnnblocks_tui.screens.run import show_tab, step_tab
from cnnblocks_tui.screens.saving import save
from cnnblocks_tui.weight_wording import (
    branching,
    fits_text,
    free_axes,
    outline_parts,
    tensor_label,
    tensor_matches,
)
from cnnblocks_tui.widgets.chart import Chart, Series
from cnnblocks_tui.widgets.lists import Choices, Outline, Table
from cnnblocks_tui.widgets.pixels import Pixels, tiled

if TYPE_CHECKING:
    from cnnblocks.weights import Tensor, WeightTable

Result = TypeVar("Result")
BARS = {
    "norm": "norm of the values",
    "std": "standard deviation",
    "dead": "dead filters",
    "zeros": "share of zeros",
    "bad": "NaN and infinite values",
}
MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
_BINS = 80
_LARGE = 32 << 20


class WeightsScreen(Place):
    """A weight file, whatever its format."""

    NAME = "weights"
    HELP = (
        "A weight file. The tree on the left holds its layers and tensors; the tabs on the right "
        "measure and show the tensor under the cursor. With a run's checkpoints, comma and full "
        "stop move through training."
    )
    CSS_PATH = "weights.tcss"
    BINDINGS = bindings("weights", "tabs")

    def __init__(self) -> None:
        super().__init__()
        self.path: Path | None = None
        self._pending: Path | None = None
        self.table: WeightTable | None = None
        self.tensor: Tensor | None = None
        self._reading = threading.Lock()
        self._slices: dict[str, str] = {}
        self._channels: dict[str, int] = {}
        self._bars = "norm"
        self._measured: list[Any] = []
        self._siblings: list[Path] = []

    def compose_body(self) -> ComposeResult:
        with Vertical(id="weights-start"):
            yield Static(id="start-text")
            yield Choices(id="recent")
        with Vertical(id="weights-main"):
            yield Static(id="weights-head")
            with Horizontal():
                with Vertical(id="weights-left"):
                    yield Input(placeholder="name, role or 3x3", classes="filter -idle")
                    yield Outline("file", id="weights-tree")
                with Vertical(id="weights-right"):
                    yield Static(id="tensor-facts")
                    with TabbedContent(id="weights-tabs"):
                        with TabPane("Numbers", id="tab-numbers"):
                            yield Static(id="tensor-statistics")
                            yield Chart(
                                "values",
                                id="histogram",
                                x_format=wording.number,
                                empty="",
                                tells_last=False,
                            )
                        with TabPane("Values", id="tab-values"):
                            yield Pixels(id="values")
                        with TabPane("Kernels", id="tab-kernels"):
                            yield Pixels(id="kernels")
                        with TabPane("Layers", id="tab-layers"):
                            yield Static(id="bars-note", classes="hint")
                            yield Table(id="bars", cursor_type="row")
                        with TabPane("File", id="tab-file"), VerticalScroll():
                            yield Static(id="file-text")

    def on_mount(self) -> None:
        tree = self.query_one(Outline)
        tree.show_root = False
        tree.guide_depth = 2
        table = self.query_one("#bars", Table)
        for key, label, width in (("layer", "tensor", 22), ("value", "value", 10), ("bar", "", 24)):
            table.add_column(label, key=key, width=width)
        if self._pending is not None:
            self.in_background(self._open, self._pending, group="open")
        else:
            self._show_start()

    def focus_main(self) -> None:
        self.query_one(Outline).focus()

    def open_file(self, path: Path) -> None:
        """Open a file, or the newest one of a directory."""
        self._pending = path
        if self.is_mounted:
            self.in_background(self._open, path, group="open")

    async def _open(self, path: Path, keep: bool = False) -> None:
        from cnnblocks import weights

        try:
            path = newest(path)
            table = await asyncio.to_thread(weights.open, path)
        except (CnnblocksError, OSError) as error:
            self._pending = None
            self.notify(str(error), severity="error", timeout=10)
            if self.table is None:
                self._show_start(str(error))
            return
        self._take(path, table, keep)

    def _take(self, path: Path, table: "WeightTable", keep: bool) -> None:
        from cnnblocks_tui.weight_reading import siblings

        self._close_table()
        before = self.tensor
        self.path, self.table, self.tensor = path, table, None
        self._pending = None
        self._siblings = siblings(path)
        self._measured = []
        self.remove_class("-no-file")
        recent = [str(path), *(p for p in self.view.get("recent", []) if p != str(path))]
        self.view["recent"] = recent[:12]
        if not keep:
            self.query_one(Input).value = ""
        self._fill_tree(before.path if before is not None else None)
        self._show_head()
        self._show_file()
        self.query_one("#bars", Table).clear()
        self._show_pane()
        if not isinstance(self.focused, Input):
            self.focus_main()

    def _close_table(self) -> None:
        """Give up reading the file, and close it once the thread that reads it has noticed."""
        self.workers.cancel_group(self, "tensor")
        if self.table is None:
            return
        table, self.table = self.table, None

        def close() -> None:
            with self._reading:
                table.close()

        threading.Thread(target=close, name="closes a weight file").start()

    def on_unmount(self) -> None:
        self._close_table()

    def _show_start(self, problem: str = "") -> None:
        self.add_class("-no-file")
        text = Text("No weight file is open.", style="bold")
        if problem:
            text = Text(problem, style="bold")
        text.append("\nPress o to open one (.h5, .keras, a TensorFlow checkpoint, a text dump),")
        text.append("\nor choose below. A run's checkpoints open from the run itself with w.")
        self.query_one("#start-text", Static).update(text)
        recent = [Path(path) for path in self.view.get("recent", [])]
        known = [path for path in recent if holds(path, Path.exists)]
        found = [path for path in weight_files(Path.cwd()) if path not in known]
        found = [path for path in found if path.suffix != ".txt"]
        options = self.query_one("#recent", OptionList)
        options.clear_options()
        options.add_options(Option(Text(str(path)), id=str(path)) for path in [*known, *found][:30])
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_list.id == "recent":
            self.open_file(Path(str(event.option.id)))

    # The tree

    def _fill_tree(self, wanted: str | None) -> None:
        tree = self.query_one(Outline)
        tree.clear()
        if self.table is None:
            return
        found = [t for t in self.table.tensors if tensor_matches(t, self.query_one(Input).value)]
        nodes: dict[str, Any] = {}
        first = place = None
        branches = branching({tensor.layer for tensor in found})
        for tensor in found:
            parent = self._layer_node(tree, nodes, tensor, branches, len(found) <= 400)
            leaf = parent.add_leaf(tensor_label(tensor), data=tensor)
            first = first or leaf
            if tensor.path == wanted:
                place = leaf
        tree.root.expand()
        target = place or first
        if target is not None:
            self.call_after_refresh(tree.move_cursor, target)
            self._choose(target.data)

    def _layer_node(
        self,
        tree: Outline,
        nodes: dict[str, Any],
        tensor: "Tensor",
        branches: set[str],
        expand: bool,
    ) -> Any:
        parts = outline_parts(tensor.layer, branches)
        if tensor.role == "optimizer":
            parts = ["optimizer", *parts]
            expand = False
        node, key = tree.root, ""
        for part in parts:
            key = f"{key}/{part}"
            if key not in nodes:
                nodes[key] = node.add(Text(part, style="bold"), expand=expand)
            node = nodes[key]
        return node

    def on_tree_node_highlighted(self, event: Tree.NodeHighlighted) -> None:
        # A line of the file before may be told of when the next one is open.
        if self.table is not None and event.node.data in self.table.tensors:
            self._choose(event.node.data)

    def on_tree_node_selected(self, event: Tree.NodeSelected) -> None:
        if event.node.data is not None and event.node.data is self.tensor:
            self._show_pane()

    def _choose(self, tensor: "Tensor") -> None:
        if tensor is not self.tensor:
            self.tensor = tensor
            self._show_tensor()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._fill_tree(self.tensor.path if self.tensor is not None else None)

    def on_input_submitted(self) -> None:
        self.focus_main()

    # What is shown of the file and of the tensor

    def _show_head(self) -> None:
        if self.table is None or self.path is None:
            return
        totals = self.table.totals
        facts = [
            self.path.name,
            f"{totals.tensors} tensors",
            f"{wording.count(totals.parameters)} parameters",
            wording.size(totals.bytes),
            self.table.format,
        ]
        text = Text("\n".join(wording.packed(facts, self.size.width - 2)), style="dim")
        text.stylize("bold not dim", 0, len(self.path.name))
        if len(self._siblings) > 1 and self.path in self._siblings:
            place = self._siblings.index(self.path)
            slider = "".join("●" if i == place else "─" for i in range(len(self._siblings)))
            if len(slider) <= 40:
                text.append(f"\n{slider} ")
            else:
                text.append("\n")
            text.append(f"file {place + 1} of {len(self._siblings)}  , earlier  . later")
        self.query_one("#weights-head", Static).update(text)

    def _show_file(self) -> None:
        self.query_one("#file-text", Static).update(self._file_text())

    def _file_text(self) -> Text:
        assert self.table is not None
        text = Text()
        text.append(f"{self.path}\n", style="bold")
        optimizer = self.table.optimizer_totals
        facts: dict[str, Any] = {"format": self.table.format}
        if optimizer.tensors:
            facts["optimizer state"] = (
                f"{optimizer.tensors} tensors, {wording.size(optimizer.bytes)}"
            )
        metadata = dict(self.table.metadata)
        training = metadata.pop("training_config", None)
        metadata.pop("model_config", None)
        for name, value in {**facts, **metadata}.items():
            if value not in (None, "", {}, []):
                text.append(f"{name.replace('_', ' '):<20}", style="dim")
                text.append(f"{value}\n")
        if training:
            text.append("training configuration\n", style="bold")
            text.append(json.dumps(training, indent=1, default=str)[:4000] + "\n")
        text.append("\nPress i to find the networks that it fits.", style="dim")
        return text

    def _show_tensor(self) -> None:
        tensor = self.tensor
        if tensor is None:
            return
        named = ", ".join(
            f"{axis} {length}" for axis, length in zip(tensor.axes, tensor.shape, strict=False)
        )
        text = Text.assemble((tensor.name, "bold"))
        trainable = {True: "trained", False: "not trained", None: ""}[tensor.trainable]
        facts = [tensor.role, named or wording.shape(tensor.shape), str(tensor.dtype)]
        facts += [wording.size(tensor.bytes), trainable]
        panel = self.query_one("#tensor-facts", Static)
        lines = wording.packed([fact for fact in facts if fact], panel.content_size.width or 40)
        text.append("\n" + "\n".join(lines), style="dim")
        self.tell("#tensor-facts", text)
        self._show_pane()

    def on_tabbed_content_tab_activated(self) -> None:
        self._show_pane()

    def _show_pane(self) -> None:
        pane = self.query_one("#weights-tabs", TabbedContent).active
        if self.table is None:
            return
        if pane == "tab-layers":
            if not self._measured:
                self.in_background(self._measure_all, group="tensor")
            return
        if self.tensor is None:
            return
        show = {
            "tab-numbers": self._show_numbers,
            "tab-values": self._show_values,
            "tab-kernels": self._show_kernels,
        }.get(pane)
        if show is not None:
            self.in_background(show, self.tensor, group="tensor")

    async def _in_thread(self, read: Callable[[threading.Event], Result]) -> Result:
        from cnnblocks_tui.weight_reading import read_in_thread

        return await read_in_thread(self._reading, read)

    async def _show_numbers(self, tensor: "Tensor") -> None:
        from cnnblocks_tui.weight_numbers import Numbers, measure

        await asyncio.sleep(0.08)
        loop = asyncio.get_running_loop()

        def tell(share: float, cancelled: threading.Event) -> None:
            if not cancelled.is_set():
                bar = wording.bar(share, 20)
                told = Text(f"measuring {bar} {share:.0%} (ctrl+x gives up)")
                self.tell("#tensor-statistics", told)

        def read(cancelled: threading.Event) -> Numbers:
            def progress(share: float) -> None:
                if tensor.bytes >= _LARGE:
                    loop.call_soon_threadsafe(tell, share, cancelled)

            return measure(tensor, _BINS, cancelled, progress)

        try:
            numbers = await self._in_thread(read)
        except (CnnblocksError, OSError) as error:
            self.tell("#tensor-statistics", Text(str(error)))
            return
        if tensor is not self.tensor:
            return
        self.tell("#tensor-statistics", numbers.text())
        series = Series("share of values", numbers.centers, numbers.counts, 0, filled=True)
        self.query_one("#histogram", Chart).draw([series] if numbers.counts.any() else [])

    async def _show_values(self, tensor: "Tensor") -> None:
        from cnnblocks_tui.weight_reading import default_slice, read_plane, reading_of

        await asyncio.sleep(0.08)
        pixels = self.query_one("#values", Pixels)
        expression = self._slices.get(tensor.path) or default_slice(tensor)
        try:
            plane = await self._in_thread(lambda gone: read_plane(tensor, expression, gone))
        except (CnnblocksError, OSError, ValueError) as error:
            pixels.say(str(error))
            return
        signed = bool((plane.values < 0).any())
        axes = free_axes(tensor, expression)
        thinned = f", every {plane.stride}th value" if plane.stride > 1 else ""
        pixels.show(
            plane.values,
            scale="diverging" if signed else "sequential",
            caption=f"{expression} {' × '.join(axes)}{thinned}   x: slice · z: zoom",
            read=lambda row, column: reading_of(plane, axes, row, column),
        )

    async def _show_kernels(self, tensor: "Tensor") -> None:
        from cnnblocks_tui.weight_reading import kernels_of

        await asyncio.sleep(0.08)
        pixels = self.query_one("#kernels", Pixels)
        if len(tensor.shape) != 4 or max(tensor.shape[:2]) > 64:
            pixels.say("Only a convolution's kernels are pictures. Choose one in the tree.")
            return
        if not tensor.size:
            pixels.say("The tensor is empty.")
            return
        inputs = tensor.shape[2]
        channel = min(self._channels.get(tensor.path, 0), inputs - 1)
        if inputs != 3:
            channel = max(0, channel)
        try:
            kernels = await self._in_thread(lambda _: kernels_of(tensor, channel))
        except (CnnblocksError, OSError, ValueError) as error:
            pixels.say(str(error))
            return
        columns = max(1, pixels.size.width // (kernels.shape[2] + 1))
        which = "in colour" if channel < 0 else f"input channel {channel + 1} of {inputs}"
        more = f", {which}   x: another" if inputs > 1 else ""
        pixels.show(
            tiled(kernels, min(columns, len(kernels))),
            scale="rgb" if kernels.ndim == 4 else "diverging",
            caption=f"{len(kernels)} kernels{more}",
        )

    # Layers by one number

    async def _measure_all(self) -> None:
        from cnnblocks.weights import Cancelled
        from cnnblocks_tui.weight_numbers import measure_table

        assert self.path is not None
        cancelled = threading.Event()
        loop = asyncio.get_running_loop()
        path = self.path

        def tell(share: float) -> None:
            if not cancelled.is_set():
                bar = wording.bar(share, 16)
                self._note_bars(f"measuring {bar} {share:.0%} (ctrl+x gives up)")

        def progress(share: float) -> None:
            loop.call_soon_threadsafe(tell, share)

        try:
            measured = await asyncio.to_thread(measure_table, path, cancelled, progress)
        except asyncio.CancelledError:
            cancelled.set()
            self._note_bars("Given up. Come back to this tab to measure again.")
            raise
        except (CnnblocksError, OSError, Cancelled) as error:
            self._note_bars(str(error))
            return
        if path == self.path:
            self._measured = measured
            self._fill_bars(measured)

    def _note_bars(self, text: str) -> None:
        self.tell("#bars-note", Text(text))

    def _fill_bars(self, measured: Iterable[Any]) -> None:
        from cnnblocks_tui.weight_numbers import bar_value, barred

        table = self.query_one("#bars", Table)
        rows = [(entry, bar_value(entry, self._bars)) for entry in barred(measured, self._bars)]
        most = max((value for _, value in rows if value is not None), default=0.0) or 1.0
        table.clear()
        for entry, value in rows:
            shown = "–" if value is None else wording.number(value)
            table.add_row(entry.tensor.name, shown, wording.bar((value or 0.0) / most, 24))
        self._note_bars(f"{BARS[self._bars]} · b: another quantity")

    # Actions

    def action_next_tab(self) -> None:
        step_tab(self.query_one("#weights-tabs", TabbedContent), 1)

    def action_previous_tab(self) -> None:
        step_tab(self.query_one("#weights-tabs", TabbedContent), -1)

    def action_open(self) -> None:
        start = self.path.parent if self.path is not None else Path.cwd()
        self.app.push_screen(Browse("Open a weight file", start), self._opened)

    def _opened(self, path: Path | None) -> None:
        if path is None:
            return
        try:
            kind_of(path)
        except OpeningError as error:
            self.notify(str(error), severity="error")
        else:
            self.open_file(checkpoint_prefix(path))

    def action_search(self) -> None:
        self.open_filter("Input")

    def action_diff(self) -> None:
        if self.path is None:
            return
        mine = self.path
        others = [path for path in self._siblings if path != mine]
        options = [(str(path), path.name) for path in reversed(others)]
        options.append(("", "another file …"))

        def compare(choice: str | None) -> None:
            if choice:
                self.app.show_diff(Path(choice), mine)
            elif choice == "":
                dialog = Browse(f"Compare {mine.name} with", mine.parent)
                self.app.push_screen(dialog, compare_file)

        def compare_file(path: Path | None) -> None:
            if path is not None:
                self.app.show_diff(checkpoint_prefix(path), mine)

        earlier = self._siblings[: self._siblings.index(mine)] if mine in self._siblings else []
        nearest = str(earlier[-1]) if earlier else None
        self.app.push_screen(Choose(f"Compare {mine.name} with", options, nearest), compare)

    def action_slice(self) -> None:
        tensor = self.tensor
        if tensor is None:
            return
        if self.query_one("#weights-tabs", TabbedContent).active == "tab-kernels":
            self._ask_channel(tensor)
            return
        from cnnblocks_tui.weight_reading import default_slice

        axes = ", ".join(tensor.axes) or wording.shape(tensor.shape)
        now = self._slices.get(tensor.path) or default_slice(tensor)

        def slice_it(expression: str | None) -> None:
            if expression is not None:
                self._slices[tensor.path] = expression.strip()
                show_tab(self.query_one("#weights-tabs", TabbedContent), "tab-values")
                self._show_pane()

        self.app.push_screen(
            Ask(f"Slice of {tensor.name} ({axes}: {wording.shape(tensor.shape)})", now), slice_it
        )

    def _ask_channel(self, tensor: "Tensor") -> None:
        def take(text: str | None) -> None:
            if text is None:
                return
            if not text.strip().isdecimal():
                self.notify("A channel is a number from 1 on, or 0 for colour.", severity="error")
                return
            self._channels[tensor.path] = min(int(text), tensor.shape[2]) - 1
            self._show_pane()

        hint = "0 shows the three channels in colour" if tensor.shape[2] == 3 else ""
        question = f"Which input channel, 1 to {tensor.shape[2]}?"
        now = str(self._channels.get(tensor.path, 0) + 1)
        self.app.push_screen(Ask(question, now, hint), take)

    def action_earlier(self) -> None:
        self._slide(-1)

    def action_later(self) -> None:
        self._slide(1)

    def _slide(self, step: int) -> None:
        """Go on from the file that was asked for last, which may still be opening."""
        now = self._pending if self._pending in self._siblings else self.path
        if now is None:
            return
        if step > 0 and now not in self._siblings[:-1]:
            self._look_again(now)
        if now not in self._siblings or len(self._siblings) < 2:
            self.notify("There is no other checkpoint beside this file.")
            return
        place = self._siblings.index(now) + step
        if 0 <= place < len(self._siblings):
            self._pending = self._siblings[place]
            self.in_background(self._open, self._pending, True, group="open")

    def _look_again(self, path: Path) -> None:
        """Find the checkpoints that were written since the file was opened."""
        from cnnblocks_tui.weight_reading import siblings

        self._siblings = siblings(path)
        self._show_head()

    def action_layers(self) -> None:
        if self.path is None:
            return
        if self.path.suffix not in MODEL_SUFFIXES or self.path.name.endswith(".weights.h5"):
            self.notify("This file holds weights alone. A .keras file holds its model, too.")
            return
        self.app.show_layers(self.path)

    def action_bars(self) -> None:
        tabs = self.query_one("#weights-tabs", TabbedContent)
        if tabs.active != "tab-layers":
            show_tab(tabs, "tab-layers")
            return
        names = list(BARS)
        self._bars = names[(names.index(self._bars) + 1) % len(names)]
        self._fill_bars(self._measured)

    def action_cancel(self) -> None:
        given_up = self.workers.cancel_group(self, "tensor")
        if given_up and self.query_one("#weights-tabs", TabbedContent).active == "tab-numbers":
            text = "Given up. Choose the tensor again to measure it."
            self.tell("#tensor-statistics", Text(text))

    def action_identify(self) -> None:
        if self.path is not None:
            show_tab(self.query_one("#weights-tabs", TabbedContent), "tab-file")
            self.in_background(self._identify, self.path, group="identify")

    async def _identify(self, path: Path) -> None:
        panel = self.query_one("#file-text", Static)
        panel.update("Looking which networks it fits …")
        try:
            answer = await self.app.engine.ask("weights.identify", path=str(path))
        except CnnblocksError as error:
            panel.update(Text(str(error)))
            return
        if path == self.path:
            panel.update(Text.assemble(fits_text(answer), "\n", self._file_text()))

    def action_export(self) -> None:
        tensor = self.tensor
        if tensor is None:
            return
        from cnnblocks_tui.weight_numbers import write_tensor

        async def write(path: Path) -> None:
            await self._in_thread(lambda _: write_tensor(tensor, path))

        name = tensor.name.replace("/", "-").replace(":", "-")
        hint = ".npy keeps the shape, .csv and .txt write one value a line or row"
        save(self, "Write the tensor to", f"{name}.npy", write, hint)

    def action_copy(self) -> None:
        if self.tensor is not None:
            self.in_background(self._copy, self.tensor, group="copy")

    async def _copy(self, tensor: "Tensor") -> None:
        facts = f"{tensor.name} {tensor.role} {tuple(tensor.shape)} {tensor.dtype}"
        if tensor.size <= 4096:
            try:
                values = await self._in_thread(lambda _: tensor.read())
            except (CnnblocksError, OSError, ValueError) as error:
                self.notify(str(error), severity="error")
                return
            facts += f"\n{values.tolist()}"
        self.app.copy_to_clipboard(facts)
        self.notify("Copied. If your terminal does not take it, e writes a file.")
