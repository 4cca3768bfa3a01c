"""Choosing a file or a folder: by going through them, or by typing a path."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from cnnblocks.paths import PathError, expanded
from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings
from cnnblocks_tui.opening import holds
from cnnblocks_tui.screens.dialogs import Dialog
from cnnblocks_tui.widgets.lists import Choices

MOST_ENTRIES = 2000


@dataclass(frozen=True)
class Entry:
    """A line of a folder's listing."""

    path: Path
    is_folder: bool
    bytes: int
    changed: float


def listing(folder: Path, files: bool) -> list[Entry]:
    """What is in a folder: folders first, each kind by name; files only when they are wanted.

    Raises:
        OSError: The folder is gone or may not be read.
    """
    with os.scandir(folder) as found:
        entries = [entry for item in found if (entry := _entry(item)) is not None]
    wanted = [entry for entry in entries if entry.is_folder or files]
    return sorted(wanted, key=lambda entry: (not entry.is_folder, entry.path.name.lower()))


def _entry(item: os.DirEntry[str]) -> Entry | None:
    try:
        status = item.stat()
        return Entry(Path(item.path), item.is_dir(), status.st_size, status.st_mtime)
    except OSError:
        return None


class Entries(Choices):
    """The entries of a folder: left goes up, right goes in."""

    class Up(Message):
        """The folder above is wanted."""

    def action_go_left(self) -> None:
        self.post_message(self.Up())

    def action_go_right(self) -> None:
        self.action_select()


class Browse(Dialog[Path]):
    """A file, or a folder, that exists; escape gives none.

    Args:
        question: What is asked.
        start: The folder that is shown first, or the nearest one above it that is there.
        folders: Whether a folder is asked for; a file otherwise.
    """

    HELP = (
        "Files and folders. Enter opens a folder or takes a file, left goes up, a full stop shows "
        "hidden ones. Tab goes to the path, where typing narrows the list and enter takes it."
    )
    BINDINGS = bindings("browse")
    NAME = "browse"

    def __init__(self, question: str, start: Path, folders: bool = False) -> None:
        super().__init__()
        self.question, self.folders = question, folders
        self.folder = next(p for p in (start, *start.absolute().parents) if holds(p, Path.is_dir))
        self._entries: list[Entry] = []
        self._shown: list[Path] = []
        self._hidden = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog browse"):
            yield Label(self.question, markup=False)
            yield Input(_typed(self.folder), select_on_focus=False)
            yield Entries()
            yield Label(classes="hint")

    def on_mount(self) -> None:
        self.query_one(Entries).focus()
        self._go(self.folder)

    def _go(self, folder: Path, prefix: str | None = None) -> None:
        """List another folder; with a prefix, the path's field is left as it was typed."""
        work: Any = self._list(folder, prefix)
        self.run_worker(work, group="listing", exclusive=True)

    async def _list(self, folder: Path, prefix: str | None) -> None:
        try:
            entries = await asyncio.to_thread(listing, folder, not self.folders)
        except OSError as error:
            self._say(f"{folder} cannot be read: {error.strerror}", wrong=True)
            return
        before, self.folder, self._entries = self.folder, folder, entries
        if prefix is None:
            field = self.query_one(Input)
            with self.prevent(Input.Changed):
                field.value = _typed(folder)
            field.cursor_position = len(field.value)
        self._fill(prefix or "", before)

    def _fill(self, prefix: str = "", chosen: Path | None = None) -> None:
        """Show the entries that begin with a prefix, the cursor on `chosen` if it is there."""
        rows = [] if prefix else list(self._ways_out())
        hidden = self._hidden or prefix.startswith(".")
        for entry in self._entries:
            name = entry.path.name
            if name.lower().startswith(prefix.lower()) and (hidden or name[0] != "."):
                rows.append((entry.path, _line(entry)))
        self._shown = [path for path, _ in rows[:MOST_ENTRIES]]
        options = self.query_one(Entries)
        options.clear_options()
        options.add_options(Option(text) for _, text in rows[:MOST_ENTRIES])
        if self._shown:
            options.highlighted = self._shown.index(chosen) if chosen in self._shown else 0
        self._say(self._hint(len(rows) - len(self._shown), prefix))

    def _ways_out(self) -> Iterable[tuple[Path, Text]]:
        if self.folders:
            yield self.folder, Text.assemble(("take this folder", "bold"))
        if self.folder.parent != self.folder:
            yield self.folder.parent, Text("../")

    def _hint(self, left_out: int, prefix: str) -> str:
        if left_out > 0:
            return f"and {left_out} more: type the beginning of a name"
        if prefix and not self._shown:
            return "nothing begins like this"
        if not self._entries:
            return "this folder is empty" if not self.folders else "no folders in here"
        return "enter: open · left: up · tab: type a path · escape: leave it"

    def _say(self, text: str, wrong: bool = False) -> None:
        hint = self.query_one(".hint", Label)
        hint.update(Text(f"✗ {text}" if wrong else text))
        hint.set_class(wrong, "-wrong")

    def _take(self, path: Path) -> None:
        """Go into a folder, or answer with a file."""
        if holds(path, Path.is_dir):
            self._go(path)
        elif holds(path, Path.exists) and not self.folders:
            self.dismiss(path)
        else:
            what = "folder" if self.folders else "file"
            self._say(f"There is no {what} {path}", wrong=True)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        path = self._shown[event.option_index]
        if self.folders and path == self.folder:
            self.dismiss(path)
        else:
            self._take(path)

    def on_input_changed(self, event: Input.Changed) -> None:
        try:
            folder, prefix = _parted(event.value)
        except PathError as error:
            self._say(str(error), wrong=True)
            return
        if folder == self.folder:
            self._fill(prefix)
        elif holds(folder, Path.is_dir):
            self._go(folder, prefix)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            path = expanded(event.value).absolute()
        except PathError as error:
            self._say(str(error), wrong=True)
            return
        if self.folders and holds(path, Path.is_dir):
            self.dismiss(path)
        elif len(self._shown) == 1 and not holds(path, Path.exists):
            self._take(self._shown[0])
        else:
            self._take(path)

    def on_entries_up(self) -> None:
        self.action_go_up()

    def action_go_up(self) -> None:
        self._go(self.folder.parent)

    def action_hidden(self) -> None:
        self._hidden = not self._hidden
        self._fill()


def _parted(typed: str) -> tuple[Path, str]:
    """The folder of a typed path, and the beginning of a name in it.

    Raises:
        PathError: It begins with `~user`, and there is no such user.
    """
    folder, separator, prefix = typed.rpartition(os.sep)
    return expanded(folder + separator).absolute(), prefix


def _typed(folder: Path) -> str:
    """A folder as it stands in the path's field: with a slash behind it."""
    return str(folder).rstrip(os.sep) + os.sep


def _line(entry: Entry) -> Text:
    if entry.is_folder:
        return Text(f"{entry.path.name}/", style="bold", no_wrap=True)
    text = Text(no_wrap=True)
    text.append(f"{wording.size(entry.bytes):>10} ", style="dim")
    text.append(f"{datetime.fromtimestamp(entry.changed):%Y-%m-%d %H:%M} ", style="dim")
    text.append(entry.path.name)
    return text
