"""Small questions: yes or no, a line of text, one of several."""

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, SelectionList
from textual.widgets.option_list import Option

from cnnblocks_tui.actions import bindings
from cnnblocks_tui.widgets.lists import Choices

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """A question over the screen; escape takes it away without an answer."""

    BINDINGS = bindings("dialog")
    NAME: ClassVar[str] = "dialog"
    app: Any

    def action_give_up(self) -> None:
        self.dismiss(None)

    def action_help(self) -> None:
        self.app.action_help()


class Confirm(Dialog[bool]):
    """A question that is answered by yes or no; no has the focus.

    Args:
        question: One sentence.
        yes: The word on the button that does it.
    """

    HELP = "A question. Tab moves between the answers, enter takes one, escape says no."
    BINDINGS = bindings("confirm")
    NAME = "confirm"

    def __init__(self, question: str, yes: str = "Yes") -> None:
        super().__init__()
        self.question = question
        self.yes = yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self.question, markup=False)
            with Horizontal():
                yield Button("No", id="no")
                yield Button(self.yes, id="yes", variant="error")

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_yes(self) -> None:
        self.dismiss(True)


class Ask(Dialog[str]):
    """One line of text; escape gives none.

    Args:
        question: What is asked.
        value: The text to start from.
        hint: One line below the field.
    """

    HELP = "A line of text. Enter takes it, escape leaves everything as it was."

    def __init__(self, question: str, value: str = "", hint: str = "") -> None:
        super().__init__()
        self.question, self.value, self.hint = question, value, hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self.question, markup=False)
            yield Input(self.value, id="answer")
            hint = self.hint or "enter: take it · escape: leave it"
            yield Label(hint, classes="hint", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class Choose(Dialog[str]):
    """One of several; escape gives none.

    Args:
        question: What is asked.
        options: (value, text) in order.
        chosen: The value under the cursor at first.
    """

    HELP = "A list to choose from. Up and down move, enter takes it, escape leaves it."

    def __init__(
        self, question: str, options: Sequence[tuple[str, str]], chosen: str | None = None
    ) -> None:
        super().__init__()
        self.question, self.options, self.chosen = question, options, chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self.question, markup=False)
            options = (Option(text, id=f"o{n}") for n, (_, text) in self._numbered())
            yield Choices(*options, markup=False)

    def on_mount(self) -> None:
        values = [value for value, _ in self.options]
        if self.chosen in values:
            self.query_one(OptionList).highlighted = values.index(self.chosen)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.options[event.option_index][0])

    def _numbered(self) -> list[tuple[int, tuple[str, str]]]:
        return list(enumerate(self.options))


class ChooseSeveral(Dialog[list[str]]):
    """Any number of several; escape leaves everything as it was.

    Args:
        question: What is asked.
        options: (value, text) in order.
        chosen: The values that are chosen at first.
    """

    HELP = "A list to choose from. Space chooses or lets go, tab and enter take the choice."

    def __init__(
        self, question: str, options: Sequence[tuple[str, str]], chosen: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.question, self.options, self.chosen = question, options, chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self.question, markup=False)
            yield SelectionList(
                *((Content(text), value, value in self.chosen) for value, text in self.options)
            )
            with Horizontal():
                yield Button("Take", id="take", variant="primary")

    def on_button_pressed(self) -> None:
        self.dismiss(list(self.query_one(SelectionList).selected))
