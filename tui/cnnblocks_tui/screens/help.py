"""Help for what is in focus: what it is, and every key that does something there."""

from typing import Any

from rich.table import Table as Grid
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from cnnblocks_tui.actions import SCOPES, actions
from cnnblocks_tui.screens.dialogs import Dialog


class HelpScreen(Dialog[None]):
    """Explains the screen and the widget that the keyboard is on.

    Args:
        about: The screen that is explained.
    """

    DEFAULT_CSS = """
    HelpScreen > VerticalScroll {
        width: 84; max-width: 96%; height: 90%; border: round $primary;
        background: $surface; padding: 0 2;
    }
    """
    HELP = "This help. Escape closes it."
    NAME = "help"

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self.about = about

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(self._text())

    def _text(self) -> Grid:
        page = Grid.grid()
        for part in (self.about, self.about.focused):
            sentence = getattr(part, "HELP", "") or ""
            if isinstance(sentence, str) and sentence:
                page.add_row(Text(f"{sentence}\n"))
        for scope in self._scopes():
            page.add_row(Text.assemble((SCOPES[scope], "bold underline")))
            page.add_row(self._keys(scope))
            page.add_row("")
        page.add_row(
            Text(
                "Tab moves between the parts of a screen. The mouse works everywhere. Keys can be "
                "changed in keys.toml: cnnblocks-tui --print-keymap shows how.",
                style="dim",
            )
        )
        return page

    def _scopes(self) -> list[str]:
        own = [getattr(self.about, "NAME", "")]
        focused = self.about.focused
        ids = [b.id for _, b in focused._bindings if b.id] if focused is not None else []
        own += [name.split(".")[0] for name in ids]
        own += ["tabs"] if self.about.query("TabbedContent") else []
        own += ["dialog"] if self.about.is_modal else ["app"]
        return [scope for scope in dict.fromkeys(own) if scope in SCOPES]

    def _keys(self, scope: str) -> Grid:
        table = Grid.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="bold", min_width=18)
        table.add_column(ratio=1)
        app: Any = self.app
        for action in actions(scope):
            keys = app.keys_of(action)
            table.add_row(keys or "in the palette", action.help)
        return table
