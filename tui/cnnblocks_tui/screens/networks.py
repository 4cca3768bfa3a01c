"""The networks: their stories, their layers, their pictures."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.widgets import Input, Label, Static, TabbedContent, TabPane, Tree

from cnnblocks.errors import CnnblocksError
from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings
from cnnblocks_tui.screens.base import Place
from cnnblocks_tui.screens.dialogs import Choose, ChooseSeveral
from cnnblocks_tui.screens.run import step_tab
from cnnblocks_tui.screens.saving import save, write_text
from cnnblocks_tui.widgets.layers import COLUMNS, LayerTable, as_csv, as_markdown
from cnnblocks_tui.widgets.lists import Outline
from cnnblocks_tui.widgets.picture import picture

Facts = Mapping[str, Any]
STARTING = "Starting Keras in the background: a few seconds, the first time …"


def parse_shape(text: str) -> list[int] | None:
    """`64x64x3` (or with spaces, commas or ×) as numbers; `None` when it is no image's shape."""
    parts = text.lower().replace("×", "x").replace(",", "x").replace(" ", "x").split("x")
    numbers = [int(part) for part in parts if part.isdecimal()]
    fits = len(numbers) == len([part for part in parts if part]) == 3
    return numbers if fits and all(number > 0 for number in numbers) else None


class NetworksScreen(Place):
    """Browse the registered networks."""

    NAME = "networks"
    HELP = (
        "The networks. The layer table follows the input shape, the number of classes and the "
        "batch as you type. Press n to train the network under the cursor, c to put another one "
        "beside it."
    )
    CSS_PATH = "networks.tcss"
    BINDINGS = bindings("networks", "tabs")

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, Facts] = {}
        self.network: str | None = None
        self.other: str | None = None
        self.tables: dict[str, Mapping[str, Any]] = {}

    def compose_body(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="networks-left"):
                yield Input(placeholder="filter", id="network-filter", classes="filter -idle")
                yield Outline("networks", id="networks-tree")
            with Vertical(id="networks-right"):
                with Horizontal(id="shape-row"):
                    yield Label("input")
                    yield Input("", id="input-shape")
                    yield Label("classes")
                    yield Input("10", id="classes", classes="short")
                    yield Label("batch")
                    yield Input("1", id="batch", classes="short")
                yield Static(STARTING, id="totals")
                yield Input(placeholder="find a layer", id="layer-filter", classes="filter -idle")
                with TabbedContent(id="network-tabs"):
                    with TabPane("Layers", id="tab-layers"), Container(id="layer-tables"):
                        yield LayerTable(id="layers")
                        yield LayerTable(id="layers-other")
                    with TabPane("Picture", id="tab-picture"), VerticalScroll(id="picture-scroll"):
                        yield Static(id="picture")
                    with TabPane("Story", id="tab-story"), VerticalScroll():
                        yield Static(id="story")

    def on_mount(self) -> None:
        tree = self.query_one(Outline)
        tree.show_root = False
        tree.guide_depth = 2
        self.query_one("#layers", LayerTable).choose_columns(self.view.get("columns"))
        tree.focus()
        self.in_background(self._load, group="facts")

    def focus_main(self) -> None:
        self.query_one(Outline).focus()

    async def _load(self) -> None:
        try:
            answer = await self.app.engine.ask("networks.list")
        except CnnblocksError as error:
            self.query_one("#totals", Static).update(Text(str(error)))
            return
        self.facts = {str(entry["name"]): entry for entry in answer}
        self._fill_tree()

    def _fill_tree(self) -> None:
        tree = self.query_one(Outline)
        query = self.query_one("#network-filter", Input).value.lower().split()
        tree.clear()
        families: dict[str, Any] = {}
        leaves: dict[str, Any] = {}
        for name, entry in self.facts.items():
            words = f"{name} {entry.get('family')} {paper_text(entry)} {entry.get('trained_on')}"
            if not all(word in words.lower() for word in query):
                continue
            family = str(entry.get("family", ""))
            if family not in families:
                families[family] = tree.root.add(Text(family, style="bold"), expand=True)
            label = Text(f"{name:<13}")
            label.append(wording.count(entry.get("parameters")), style="dim")
            leaves[name] = families[family].add_leaf(label, data=name)
        tree.root.expand()
        wanted = self.network or self.view.get("network")
        target = leaves.get(str(wanted)) or next(iter(leaves.values()), None)
        if target is not None:
            self.call_after_refresh(tree.move_cursor, target)
            self._choose(str(target.data))

    def on_tree_node_highlighted(self, event: Tree.NodeHighlighted) -> None:
        if event.node.data is not None:
            self._choose(event.node.data)

    def _choose(self, name: str) -> None:
        if name == self.network:
            return
        self.network = name
        self.view["network"] = name
        shape = self.facts[name].get("native_input_shape") or [32, 32, 3]
        with self.prevent(Input.Changed):
            self.query_one("#input-shape", Input).value = wording.shape(shape).replace("×", "x")
        self.query_one("#story", Static).update(story(self.facts[name]))
        self._ask_tables()

    def on_tree_node_selected(self) -> None:
        self.query_one("#layers").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "network-filter":
            self._fill_tree()
        elif event.input.id == "layer-filter":
            for table in self.query(LayerTable):
                table.narrow(event.value)
        else:
            self._ask_tables()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "network-filter":
            self.focus_main()
        else:
            self.query_one("#layers").focus()

    def _wanted(self) -> dict[str, Any] | None:
        """The layer table's parameters; fields with a wrong value are marked, and give none."""
        shape = parse_shape(self.query_one("#input-shape", Input).value)
        self.query_one("#input-shape", Input).set_class(shape is None, "-invalid")
        numbers = {}
        for name in ("classes", "batch"):
            field = self.query_one(f"#{name}", Input)
            good = field.value.isdecimal() and 0 < int(field.value) <= 1_000_000
            field.set_class(not good, "-invalid")
            numbers[name] = int(field.value) if good else 0
        if shape is None or not all(numbers.values()):
            return None
        return {
            "input_shape": shape,
            "num_classes": numbers["classes"],
            "batch_size": numbers["batch"],
        }

    def _ask_tables(self) -> None:
        self.in_background(self._show_tables, group="summary")

    async def _show_tables(self) -> None:
        totals = self.query_one("#totals", Static)
        wanted = self._wanted()
        if self.network is None:
            return
        if wanted is None:
            totals.update("An input shape is height x width x channels, such as 32x32x3.")
            return
        await asyncio.sleep(0.05)
        totals.update(f"{self.network}: computing …")
        names = [self.network, *([self.other] if self.other else [])]
        try:
            answers = {
                name: await self.app.engine.ask("networks.summary", network=name, **wanted)
                for name in names
            }
        except CnnblocksError as error:
            totals.update(Text(str(error)))
            return
        self.tables = answers
        room = (totals.size.width or self.size.width) - 2
        text = Text("\n").join(totals_text(name, answers[name], room) for name in names)
        totals.update(text)
        self.query_one("#layers", LayerTable).load(answers[self.network]["rows"])
        if self.other:
            self.query_one("#layers-other", LayerTable).load(answers[self.other]["rows"])
        self._draw_picture()

    def _draw_picture(self) -> None:
        if self.network in self.tables:
            width = self.query_one("#picture-scroll").size.width or self.size.width - 30
            drawn = picture(self.tables[self.network]["rows"], max(40, width - 4))
            self.query_one("#picture", Static).update(drawn)

    def on_tabbed_content_tab_activated(self) -> None:
        self.call_after_refresh(self._draw_picture)

    def action_next_tab(self) -> None:
        step_tab(self.query_one("#network-tabs", TabbedContent), 1)

    def action_previous_tab(self) -> None:
        step_tab(self.query_one("#network-tabs", TabbedContent), -1)

    def action_filter(self) -> None:
        self.open_filter("#network-filter")

    def action_layer_filter(self) -> None:
        self.open_filter("#layer-filter")

    def action_train(self) -> None:
        if self.network is not None:
            self.app.show_new_run(network=self.network)

    def action_compare(self) -> None:
        if self.other is not None or self.network is None:
            self.other = None
            self.remove_class("-comparing")
            self._ask_tables()
            return
        options = [
            (name, f"{name:<14} {wording.count(entry.get('parameters'))}")
            for name, entry in self.facts.items()
            if name != self.network
        ]
        self.app.push_screen(
            Choose(f"Put which network beside {self.network}?", options), self._beside
        )

    def _beside(self, name: str | None) -> None:
        if name is not None:
            self.other = name
            self.add_class("-comparing")
            self._ask_tables()

    def action_input_size(self) -> None:
        self.query_one("#input-shape").focus()

    def action_fold(self) -> None:
        for table in self.query(LayerTable):
            table.fold_all()

    def action_sort(self) -> None:
        names = {table.sort_next() for table in self.query(LayerTable)}
        self.notify(f"Sorted by {' and '.join(sorted(names)).replace('_', ' ')}")

    def action_columns(self) -> None:
        table = self.query_one("#layers", LayerTable)
        shown = [str(key.value) for key in table.columns]
        options = [(column.key, column.label) for column in COLUMNS[1:]]

        def choose(keys: list[str] | None) -> None:
            if keys is not None:
                self.view["columns"] = keys or None
                for each in self.query(LayerTable):
                    each.choose_columns(keys or None)

        self.app.push_screen(
            ChooseSeveral("Which columns? None chosen: those that fit.", options, shown), choose
        )

    def action_export(self) -> None:
        if self.network in self.tables:
            write_table(self, self.tables[str(self.network)]["rows"], str(self.network))

    def action_find_weights(self) -> None:
        self.in_background(self._find_weights, group="weights")

    async def _find_weights(self) -> None:
        known = await asyncio.to_thread(self.app.known_runs)
        runs = [run for run in known if run.network == self.network]
        files = [
            (str(path), f"{run.id}  {path.name}")
            for run in runs
            for name in ("weights.weights.h5", "checkpoints/last.weights.h5")
            if (path := run.path / name).is_file()
        ]
        if not files:
            self.notify(f"No run has weights of {self.network} yet. Press n to train one.")
            return

        def show(path: str | None) -> None:
            if path is not None:
                self.app.show_weights(Path(path))

        self.app.push_screen(Choose(f"Open which weights of {self.network}?", files), show)


def write_table(screen: Place, rows: Sequence[Facts], name: str) -> None:
    """Ask where a layer table shall go, and write it there as Markdown or CSV."""

    async def write(path: Path) -> None:
        await write_text(path, as_csv(rows) if path.suffix == ".csv" else as_markdown(rows))

    save(screen, "Write the layer table to", f"{name}.md", write, ".md or .csv")


def paper_text(entry: Facts) -> str:
    """A network's paper in a line."""
    paper = entry.get("paper") or {}
    return f"{paper.get('authors', '')}: {paper.get('title', '')} ({paper.get('year', '')})"


def story(entry: Facts) -> Text:
    """What there is to know about a network."""
    text = Text()
    text.append(f"{entry['name']}", style="bold")
    text.append(f"  {entry.get('family', '')}\n\n", style="dim")
    text.append(f"{entry.get('idea', '')}\n\n")
    paper = entry.get("paper") or {}
    text.append(f"{paper_text(entry)}\n")
    text.append(f"{paper.get('url', '')}\n\n", style="dim")
    low, high = (entry.get("input_range") or (0, 1))[:2]
    facts = {
        "native input": wording.shape(entry.get("native_input_shape") or ()),
        "smallest image": f"{entry.get('min_size', '?')} pixels a side",
        "input range": f"{low:g} to {high:g}",
        "parameters": f"{entry.get('parameters', 0):,}",
        "first trained on": entry.get("trained_on", ""),
        "own arguments": ", ".join(f"{k}={v}" for k, v in (entry.get("arguments") or {}).items()),
    }
    for name, value in facts.items():
        text.append(f"{name:<18}", style="dim")
        text.append(f"{value}\n")
    return text


def totals_text(name: str, table: Mapping[str, Any], width: int) -> Text:
    """A layer table's sums, in as many lines as they need."""
    totals = table["totals"]
    trainable = totals["trainable_parameters"]
    parts = [
        name,
        f"{totals['parameters']:,} parameters",
        "" if trainable == totals["parameters"] else f"({trainable:,} trained)",
        f"{wording.count(totals['multiply_adds'])} multiply-adds",
        f"activations {wording.size(totals['activation_bytes'])} at batch {table['batch_size']}",
    ]
    text = Text("\n".join(wording.packed([part for part in parts if part], width)))
    text.stylize("bold", 0, len(name))
    return text
