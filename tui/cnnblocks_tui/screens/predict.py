"""Images through a trained model: the classes, and what every block makes of them."""

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.widgets import OptionList, Static, TabbedContent, TabPane
from textual.widgets.option_list import Option

from cnnblocks.errors import CnnblocksError
from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings
from cnnblocks_tui.opening import holds
from cnnblocks_tui.screens.base import Place
from cnnblocks_tui.screens.browse import Browse
from cnnblocks_tui.screens.dialogs import Choose
from cnnblocks_tui.screens.run import show_tab, step_tab
from cnnblocks_tui.widgets.lists import Choices
from cnnblocks_tui.widgets.pixels import Pixels, tiled

if TYPE_CHECKING:
    import numpy as np

TOP = 8


class PredictScreen(Place):
    """Classify images with a run's model or a model file."""

    NAME = "predict"
    HELP = (
        "Images through a trained model. Choose a model with o, add images with a. The second "
        "tab shows what each block makes of the image under the cursor."
    )
    CSS_PATH = "predict.tcss"
    BINDINGS = bindings("predict", "tabs")

    def __init__(self) -> None:
        super().__init__()
        self.model: Path | None = None
        self.images: list[Path] = []
        self.verdicts: dict[Path, Mapping[str, Any]] = {}
        self._stages: list[Mapping[str, Any]] = []
        self._maps_of: Path | None = None

    def compose_body(self) -> ComposeResult:
        yield Static(id="predict-head")
        with Horizontal():
            with Vertical(id="predict-left"):
                yield Choices(id="images")
            with Vertical(id="predict-right"), TabbedContent(id="predict-tabs"):
                with TabPane("Classes", id="tab-classes"), Container(id="verdict"):
                    yield Pixels(id="image", empty="Press a to add an image or a folder of images.")
                    yield Static(id="classes-panel")
                with TabPane("Feature maps", id="tab-maps"), Horizontal(id="maps-row"):
                    yield Choices(id="stage")
                    yield Pixels(id="maps", empty="Choose a model and an image first.")

    def on_mount(self) -> None:
        remembered = self.view.get("model")
        if self.model is None and remembered and holds(Path(remembered), Path.exists):
            self.model = Path(remembered)
        known = [Path(path) for path in self.view.get("images", [])]
        self.images = self.images or [path for path in known if holds(path, Path.is_file)]
        self._list_images()
        self._show_head()
        self.query_one("#images").focus()

    def focus_main(self) -> None:
        self.query_one("#images").focus()

    def open_model(self, model: Path) -> None:
        """Use a run's model or a model file from now on."""
        self.model = model
        self.view["model"] = str(model)
        self.verdicts = {}
        self._maps_of = None
        if self.is_mounted:
            self._show_head()
            self._show_image()

    @property
    def image(self) -> Path | None:
        """The image under the cursor."""
        place = self.query_one("#images", OptionList).highlighted
        return self.images[place] if place is not None and place < len(self.images) else None

    def _show_head(self) -> None:
        text = Text()
        if self.model is None:
            text.append("No model yet. ", style="bold")
            text.append("Press o to choose a run or a .keras file, or i on a run's own screen.")
        else:
            text.append("model ", style="dim")
            text.append(self.model.name, style="bold")
            text.append(f"  {self.model.parent}", style="dim")
        self.query_one("#predict-head", Static).update(text)

    def _list_images(self, chosen: int = 0) -> None:
        options = self.query_one("#images", OptionList)
        options.clear_options()
        options.add_options(Option(Text(path.name, no_wrap=True)) for path in self.images)
        self.view["images"] = [str(path) for path in self.images[:50]]
        if self.images:
            options.highlighted = min(chosen, len(self.images) - 1)
        else:
            self.query_one("#image", Pixels).say("Press a to add an image or a folder of images.")
            self.query_one("#classes-panel", Static).update("")

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_list.id == "images":
            self._show_image()
        else:
            self._show_stage()

    def on_tabbed_content_tab_activated(self) -> None:
        self._show_image()

    def _show_image(self) -> None:
        if self.image is not None:
            self.in_background(self._draw_image, self.image, group="image")

    async def _draw_image(self, path: Path) -> None:
        from cnnblocks_tui.image_reading import fitted, load_image

        await asyncio.sleep(0.08)
        pixels = self.query_one("#image", Pixels)
        try:
            image = await asyncio.to_thread(load_image, path)
        except (OSError, ValueError) as error:
            pixels.say(f"{path.name} is no image that can be read: {error}")
            return
        room = (max(8, pixels.size.width), max(8, 2 * (pixels.size.height - 2)))
        pixels.show(fitted(image, *room), scale="rgb", caption=path.name)
        if self.model is None:
            return
        if self.query_one("#predict-tabs", TabbedContent).active == "tab-maps":
            await self._ask_maps(path)
        else:
            await self._ask_classes(path)

    async def _ask_classes(self, path: Path) -> None:
        panel = self.query_one("#classes-panel", Static)
        if path not in self.verdicts:
            panel.update("Predicting …")
            try:
                answers = await self.app.engine.ask(
                    "predict", model=str(self.model), images=[str(path)], top=TOP
                )
            except CnnblocksError as error:
                panel.update(Text(str(error)))
                return
            self.verdicts[path] = answers[0]
        panel.update(classes_text(self.verdicts[path], panel.size.width - 2))

    async def _ask_maps(self, path: Path) -> None:
        if self._maps_of == path:
            return
        pixels = self.query_one("#maps", Pixels)
        pixels.say("Computing what each block makes of it …")
        try:
            answer = await self.app.engine.ask(
                "feature_maps", model=str(self.model), image=str(path)
            )
        except CnnblocksError as error:
            pixels.say(str(error))
            return
        from cnnblocks_tui.image_reading import load_stages

        try:
            self._stages = await asyncio.to_thread(load_stages, answer)
        except (OSError, ValueError) as error:
            pixels.say(f"What the helper process computed cannot be read: {error}")
            return
        self._maps_of = path
        options = self.query_one("#stage", OptionList)
        before = options.highlighted or 0
        options.clear_options()
        options.add_options(Option(stage_label(stage)) for stage in self._stages)
        options.highlighted = min(before, max(0, len(self._stages) - 1))

    def _show_stage(self) -> None:
        place = self.query_one("#stage", OptionList).highlighted
        if place is None or place >= len(self._stages):
            return
        self.in_background(self._draw_maps, self._stages[place]["values"], group="stage")

    async def _draw_maps(self, values: "np.ndarray") -> None:
        pixels = self.query_one("#maps", Pixels)
        grid, channels = await asyncio.to_thread(maps_grid, values, pixels.size.width)
        caption = f"{channels} maps, each on its own scale   z: zoom"
        pixels.show(grid, caption=caption, whole=grid.shape[0] > 400)

    def action_next_tab(self) -> None:
        step_tab(self.query_one("#predict-tabs", TabbedContent), 1)

    def action_previous_tab(self) -> None:
        step_tab(self.query_one("#predict-tabs", TabbedContent), -1)

    def action_maps(self) -> None:
        show_tab(self.query_one("#predict-tabs", TabbedContent), "tab-maps")

    def action_open(self) -> None:
        self.in_background(self._ask_model, group="ask model")

    async def _ask_model(self) -> None:
        known = await asyncio.to_thread(self.app.known_runs)
        runs = [run for run in known if run.epoch]
        options = [(str(run.path), f"{run.id}  {run.state}") for run in runs][:50]
        options.append(("", "a model file …"))

        def choose(choice: str | None) -> None:
            if choice:
                self.open_model(Path(choice))
            elif choice == "":
                dialog = Browse("Which model file?", Path.cwd())
                self.app.push_screen(dialog, lambda path: self._take_model(path))

        self.app.push_screen(Choose("Classify with which model?", options), choose)

    def _take_model(self, path: Path | None) -> None:
        if path is not None:
            self.open_model(path)

    def action_add(self) -> None:
        start = self.images[-1].parent if self.images else Path.cwd()

        def choose(choice: str | None) -> None:
            if choice == "file":
                self.app.push_screen(Browse("Which image?", start), self._add)
            elif choice == "folder":
                self.app.push_screen(Browse("Which folder?", start, folders=True), self._add)

        options = [("file", "one image"), ("folder", "a folder of images")]
        self.app.push_screen(Choose("Add what?", options), choose)

    def _add(self, path: Path | None) -> None:
        if path is not None:
            self.add_images(path)

    def add_images(self, path: Path) -> None:
        """Add an image, or those of a folder, once a thread has found them."""
        self.in_background(self._add_found, path, group=f"add {path}")

    async def _add_found(self, path: Path) -> None:
        from cnnblocks_tui.image_reading import image_files

        cancelled = threading.Event()
        try:
            files = await asyncio.to_thread(image_files, path, cancelled)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        found = [file for file in files if file not in self.images]
        if not found:
            self.notify(f"{path} holds no new image.", severity="warning")
            return
        place = len(self.images)
        self.images += found
        self._list_images(place)

    def action_remove(self) -> None:
        place = self.query_one("#images", OptionList).highlighted
        if place is not None and place < len(self.images):
            del self.images[place]
            self._list_images(place)


def classes_text(verdict: Mapping[str, Any], width: int) -> Text:
    """The likeliest classes with bars, or why the image could not be classified."""
    if verdict.get("problem"):
        return Text(str(verdict["problem"]))
    entries = verdict.get("predictions") or verdict.get("classes") or []
    names = [str(entry.get("class", entry.get("name", "?"))) for entry in entries]
    longest = min(16, max((len(name) for name in names), default=0))
    room = max(4, width - longest - 10)
    text = Text()
    for index, (name, entry) in enumerate(zip(names, entries, strict=True)):
        share = float(entry.get("probability", 0.0))
        style = "bold" if index == 0 else ""
        text.append(f"{name[:longest]:<{longest}} ", style=style)
        text.append(f"{wording.bar(share, room):<{room}} ")
        text.append(f"{wording.percent(share):>7}\n", style=style)
    return text


def stage_label(stage: Mapping[str, Any]) -> Text:
    """A stage's line in the list of stages."""
    text = Text(str(stage["name"]), no_wrap=True)
    text.append(f" {wording.shape(stage.get('shape') or ())}", style="dim")
    return text


def maps_grid(values: "np.ndarray", width: int) -> tuple["np.ndarray", int]:
    """Feature maps `(height, width, channels)` in a grid, each scaled from 0 to 1."""
    import numpy as np

    if values.ndim == 1:
        values = values[None, None, :]
    maps = values.transpose(2, 0, 1).astype(float)
    low = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - low
    scaled = np.where(span > 0, (maps - low) / np.where(span > 0, span, 1), 0.0)
    columns = max(1, min(len(maps), width // (maps.shape[2] + 1)))
    return tiled(scaled, columns), len(maps)
