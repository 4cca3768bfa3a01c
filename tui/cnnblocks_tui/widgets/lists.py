"""Tables and trees that listen to vim's keys as well as to the arrows."""

from typing import Any

from rich.text import Text
from textual.widgets import DataTable, OptionList, Tree
from textual.widgets.data_table import RowKey

from cnnblocks_tui.actions import bindings


class Table(DataTable):
    """A table of rows: j and k, g and G, and the arrows."""

    BINDINGS = bindings("list")
    HELP = "A table. Up and down (or j and k) move, enter opens, a click on a heading sorts."

    def add_row(self, *cells: Any, **options: Any) -> RowKey:
        return super().add_row(*map(_plain, cells), **options)

    def update_cell(self, row_key: Any, column_key: Any, value: Any, **options: Any) -> None:
        super().update_cell(row_key, column_key, _plain(value), **options)

    def action_go_left(self) -> None:
        self.scroll_left(animate=False)

    def action_go_right(self) -> None:
        self.scroll_right(animate=False)

    def action_go_top(self) -> None:
        self.move_cursor(row=0)

    def action_go_bottom(self) -> None:
        self.move_cursor(row=self.row_count - 1)


def _plain(cell: Any) -> Any:
    """A cell as it stands: a table would take brackets in a `str` for markup."""
    return Text(cell, no_wrap=True, end="") if isinstance(cell, str) else cell


class Outline(Tree):
    """A tree: left folds or goes to the parent, right unfolds."""

    BINDINGS = bindings("list")
    HELP = "A tree. Up and down (or j and k) move, left and right (or h and l) fold and unfold."
    ICON_NODE = "▸ "
    ICON_NODE_EXPANDED = "▾ "

    def action_go_left(self) -> None:
        node = self.cursor_node
        if node is not None and node.allow_expand and node.is_expanded:
            node.collapse()
        elif node is not None and node.parent is not None and not node.parent.is_root:
            self.move_cursor(node.parent)

    def action_go_right(self) -> None:
        node = self.cursor_node
        if node is not None and node.allow_expand:
            node.expand()

    def action_go_top(self) -> None:
        self.cursor_line = 0

    def action_go_bottom(self) -> None:
        self.cursor_line = self.last_line


class Choices(OptionList):
    """A list of lines to choose from."""

    BINDINGS = bindings("list")
    HELP = "A list. Up and down (or j and k) move, enter takes what is under the cursor."

    def action_go_left(self) -> None:
        self.scroll_left(animate=False)

    def action_go_right(self) -> None:
        self.scroll_right(animate=False)

    def action_go_top(self) -> None:
        self.action_first()

    def action_go_bottom(self) -> None:
        self.action_last()

    def action_select_cursor(self) -> None:
        self.action_select()
