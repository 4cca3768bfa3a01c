"""The layers of a model file or of a run's network."""

from pathlib import Path
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Input, Static

from cnnblocks.errors import CnnblocksError
from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings
from cnnblocks_tui.screens.base import Place
from cnnblocks_tui.screens.networks import STARTING, totals_text, write_table
from cnnblocks_tui.widgets.layers import LayerTable


class LayersScreen(Place):
    """The layer table of a model.

    Args:
        model: A `.keras` or `.h5` file that holds a model, or a run directory.
    """

    NAME = "layers"
    HELP = (
        "The layers of a model: type, kernel, output shape, parameters, multiply-adds, receptive "
        "field and memory. Right unfolds a block, escape goes back."
    )
    CSS_PATH = "layers.tcss"
    BINDINGS = bindings("layers")

    def __init__(self, model: Path) -> None:
        super().__init__()
        self.model = model
        self.rows: list[Any] = []

    def compose_body(self) -> ComposeResult:
        yield Static(STARTING, id="layers-head")
        yield Input(placeholder="find a layer", classes="filter -idle")
        yield LayerTable(id="layers")

    def on_mount(self) -> None:
        self.query_one(LayerTable).choose_columns(
            self.app.view_state.view("networks").get("columns")
        )
        self.focus_main()
        self.in_background(self._load, group="summary")

    def focus_main(self) -> None:
        self.query_one(LayerTable).focus()

    async def _load(self) -> None:
        head = self.query_one("#layers-head", Static)
        try:
            answer = await self.app.engine.ask("models.summary", model=str(self.model))
        except CnnblocksError as error:
            head.update(Text(str(error), style="bold"))
            return
        self.rows = answer["rows"]
        text = totals_text(self.model.name, answer, self.size.width - 2)
        text.append(f"\n{wording.count(len(self.rows))} layers · {self.model.parent}", style="dim")
        head.update(text)
        self.query_one(LayerTable).load(self.rows)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one(LayerTable).narrow(event.value)

    def on_input_submitted(self) -> None:
        self.focus_main()

    def action_filter(self) -> None:
        self.open_filter("Input")

    def action_fold(self) -> None:
        self.query_one(LayerTable).fold_all()

    def action_sort(self) -> None:
        name = self.query_one(LayerTable).sort_next()
        self.notify(f"Sorted by {name.replace('_', ' ')}")

    def action_export(self) -> None:
        if self.rows:
            write_table(self, self.rows, self.model.stem)
