"""One of several values in one line."""

from collections.abc import Sequence

from rich.text import Text
from textual.message import Message
from textual.widget import Widget

from cnnblocks_tui.actions import bindings
from cnnblocks_tui.screens.dialogs import Choose


class Pick(Widget, can_focus=True):
    """A field that holds one of several values.

    Left and right go through them, enter or a click lists them.

    Args:
        options: (value, text) in order; may be given later with `offer`.
        value: The one chosen at first.
    """

    HELP = "One of several values. Left and right go through them, enter lists them."
    BINDINGS = bindings("pick")
    DEFAULT_CSS = """
    Pick { height: 1; width: 1fr; padding: 0 1; background: $surface; }
    Pick:focus { background: $boost; text-style: bold; }
    """

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, pick: "Pick", value: str) -> None:
            self.pick, self.value = pick, value
            super().__init__()

        @property
        def control(self) -> "Pick":
            return self.pick

    def __init__(
        self, options: Sequence[tuple[str, str]] = (), value: str = "", *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.options = list(options)
        self.value = value

    def offer(self, options: Sequence[tuple[str, str]], value: str | None = None) -> None:
        """Offer other values; the one chosen stays if it is among them or `value` says so."""
        self.options = list(options)
        if value is not None:
            self.value = value
        self.refresh()

    def take(self, value: str) -> None:
        """Choose a value and tell."""
        if value != self.value:
            self.value = value
            self.refresh()
            self.post_message(self.Changed(self, value))

    def render(self) -> Text:
        """Textual's hook."""
        text = next((text for value, text in self.options if value == self.value), self.value)
        return Text.assemble(("‹ ", "dim"), text, (" ›", "dim"))

    def action_previous(self) -> None:
        self._step(-1)

    def action_next(self) -> None:
        self._step(1)

    def _step(self, step: int) -> None:
        values = [value for value, _ in self.options]
        if values:
            place = values.index(self.value) if self.value in values else -step
            self.take(values[(place + step) % len(values)])

    def action_list(self) -> None:
        def chosen(value: str | None) -> None:
            if value is not None:
                self.take(value)

        label = str(self.id or "").removeprefix("field-").replace("_", " ")
        self.app.push_screen(Choose(f"Choose: {label}", self.options, self.value), chosen)

    def on_click(self) -> None:
        self.action_list()
