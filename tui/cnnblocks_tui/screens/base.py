"""What every screen has: the bar on top, the footer, and a notice when the window is too small."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.css.query import NoMatches
from textual.events import Click, Resize
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

if TYPE_CHECKING:
    from cnnblocks_tui.app import CnnblocksApp

LEAST_WIDTH, LEAST_HEIGHT = 60, 20
PLACES = (
    ("networks", "Networks"),
    ("runs", "Runs"),
    ("weights", "Weights"),
    ("predict", "Predict"),
)


class TopBar(Static):
    """The program's name, the four places and what goes on in the background."""

    DEFAULT_CSS = """
    TopBar { dock: top; height: 1; background: $panel; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._spans: list[tuple[int, int, str]] = []

    def render(self) -> Text:
        """Textual's hook."""
        app: Any = self.app
        text = Text(" ≡ cnnblocks ", style="bold")
        self._spans = [(0, len(text), "palette")]
        for number, (mode, label) in enumerate(PLACES, start=1):
            start = len(text)
            chosen = mode == app.current_mode
            text.append(f" {number} {label} ", style="bold reverse" if chosen else "")
            self._spans.append((start, len(text), mode))
        status = app.background_status()
        room = self.size.width - len(text) - len(status) - 1
        if room > 0:
            text.append(" " * room + status, style="dim")
        return text

    def on_click(self, event: Click) -> None:
        for start, end, mode in self._spans:
            if start <= event.x < end:
                self.app.call_later(self.app.run_action, f"app.{mode}")


class KeyBar(Widget):
    """The keys of what is in focus, in one line; a click presses the key.

    One widget that draws a line: Textual's own footer mounts a widget a key, again at every change
    of focus, which takes a third of the time to the first paint.
    """

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._spans: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def render(self) -> Text:
        """Textual's hook."""
        text, self._spans = Text(no_wrap=True), []
        color = self.app.theme_variables.get("footer-key-foreground", "")
        shown: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.show or binding.action in shown:
                continue
            shown.add(binding.action)
            start = len(text)
            text.append(f" {self.app.get_key_display(binding)} ", style=f"bold {color}")
            text.append(f"{binding.description} ")
            self._spans.append((start, len(text), binding.key))
        return text

    def on_click(self, event: Click) -> None:
        for start, end, key in self._spans:
            if start <= event.x < end:
                self.app.simulate_key(key)


class TooSmall(Static):
    """The notice that stands alone when there is no room for anything else."""

    def on_resize(self) -> None:
        size = self.app.size
        self.update(
            f"This window is {size.width}x{size.height}.\n"
            f"cnnblocks needs {LEAST_WIDTH}x{LEAST_HEIGHT}.\nMake it larger, or press q."
        )


class Place(Screen[Any]):
    """A screen of the program.

    Subclasses give `compose_body`, their actions' methods, and `NAME`, under which their view is
    remembered.
    """

    AUTO_FOCUS = ""
    NAME: ClassVar[str] = ""
    HELP: ClassVar[str] = ""
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual's own declaration
        (0, "-narrow"),
        (100, "-wide"),
        (160, "-widest"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (32, "-high")]  # noqa: RUF012
    DEFAULT_CSS = """
    Place { layers: base over; }
    Place > TooSmall { display: none; width: 100%; height: 100%; content-align: center middle; }
    Place.-too-small > * { display: none; }
    Place.-too-small > TooSmall { display: block; }
    """
    app: "CnnblocksApp"

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, RenderableType] = {}
        self.reading = False
        """Whether a thread is reading what the screen shows."""

    def compose(self) -> ComposeResult:
        """Textual's hook: bar, body, footer."""
        yield TopBar()
        yield from self.compose_body()
        yield TooSmall()
        yield KeyBar()

    def compose_body(self) -> ComposeResult:
        """The widgets between the bar and the footer."""
        yield from ()

    @property
    def view(self) -> dict[str, Any]:
        """What is remembered of this screen from one start to the next."""
        return self.app.view_state.view(self.NAME)

    def on_resize(self, event: Resize) -> None:
        small = event.size.width < LEAST_WIDTH or event.size.height < LEAST_HEIGHT
        back = self.has_class("-too-small") and not small
        self.set_class(small, "-too-small")
        if back and self.focused is None:
            self.call_after_refresh(self.focus_main)

    def in_background(self, work: Callable[..., Any], *arguments: Any, group: str) -> None:
        """Run a coroutine function beside the screen, in place of the group's one before."""
        task: Any = partial(self._unless_closing, work, *arguments)
        self.run_worker(task, group=group, exclusive=True)

    async def _unless_closing(self, work: Callable[..., Any], *arguments: Any) -> None:
        try:
            await work(*arguments)
        except NoMatches:
            # A screen that is being closed loses its widgets before its work is cancelled.
            if self.is_attached and self.display and self.app.is_running:
                raise

    def tell(self, selector: str, text: RenderableType) -> None:
        """Show a text in a `Static`, which is drawn again only when the text is another one.

        The screen is laid out again, which takes many times longer, only when the text needs
        another height.
        """
        if self._told.get(selector) == text:
            return
        self._told[selector] = text
        # A screen that is being closed has lost its panels, and threads may still tell it things.
        for panel in self.query(selector).results(Static):
            height, width = panel.content_size.height, panel.content_size.width
            panel.update(text, layout=False)
            if not width or panel.get_content_height(panel.size, self.size, width) != height:
                panel.refresh(layout=True)

    def leave_input(self) -> bool:
        """Clear the filter in focus, or else one that narrows something; whether there was one."""
        focused = self.focused
        filters = [field for field in self.query("Input.filter").results(Input) if field.display]
        used = [field for field in filters if field is focused or field.value]
        used.sort(key=lambda field: field is not focused)
        if not used:
            return False
        used[0].value = ""
        used[0].add_class("-idle")
        if used[0] is focused:
            self.focus_main()
        return True

    def focus_main(self) -> None:
        """Give the keyboard back to the screen's main widget."""
        self.focus_next()

    def open_filter(self, selector: str) -> None:
        """Show a filter field and type into it."""
        field = self.query_one(selector, Input)
        field.remove_class("-idle")
        field.focus()
