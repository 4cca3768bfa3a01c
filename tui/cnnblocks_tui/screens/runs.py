"""All runs: their states, how they do, and what can be done with them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import DataTable, Input, Static

from cnnblocks.errors import CnnblocksError
from cnnblocks.runs import RunDirectory, RunSummary
from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings
from cnnblocks_tui.readings import ALIVE, STATE_SIGNS, matches
from cnnblocks_tui.screens.base import Place
from cnnblocks_tui.screens.dialogs import Ask, Confirm
from cnnblocks_tui.screens.polling import poll_every
from cnnblocks_tui.themes import series_color, series_mark
from cnnblocks_tui.widgets.lists import Table

EVERY = 0.4


@dataclass(frozen=True)
class Column:
    """A column of the list: how wide it is, what it shows, and what it sorts by."""

    key: str
    label: str
    width: int
    sort: Callable[[RunSummary], Any]


def _best(run: RunSummary) -> float:
    best = (run.best or {}).get("value")
    return max(run.accuracies, default=float(best) if isinstance(best, int | float) else -1.0)


def _speed(run: RunSummary) -> float | None:
    return run.images_per_second if run.state in ALIVE else None


COLUMNS = (
    Column("mark", " ", 1, lambda run: run.id),
    Column("state", "state", 13, lambda run: run.state),
    Column("network", "network", 11, lambda run: run.network),
    Column("epoch", "epoch", 6, lambda run: run.epoch),
    Column("best", "best", 6, _best),
    Column("created", "started", 8, lambda run: run.created),
    Column("left", "left", 9, lambda run: run.seconds_left or 0.0),
    Column("curve", "accuracy", 8, _best),
    Column("data", "data", 14, lambda run: run.data),
    Column("speed", "images/s", 8, lambda run: _speed(run) or 0.0),
    Column("id", "run", 28, lambda run: run.id),
    Column("note", "note", 24, lambda run: run.note),
)
_PADDING = 2


class RunsScreen(Place):
    """The list of runs, looked at again more than twice a second."""

    NAME = "runs"
    HELP = (
        "The training runs, newest first. They are processes of their own: closing this program "
        "leaves them running. Mark several with space and press o to see their curves together."
    )
    CSS_PATH = "runs.tcss"
    BINDINGS = bindings("runs")

    def __init__(self) -> None:
        super().__init__()
        self._runs: list[RunSummary] = []
        self._listed = False
        self._problem = ""
        self._shown: dict[str, tuple[Any, ...]] = {}
        self._columns: list[Column] = []
        self.marked: list[Path] = []

    def compose_body(self) -> ComposeResult:
        yield Input(placeholder="filter: words, !word leaves out", classes="filter -idle")
        yield Table(id="runs-list", cursor_type="row", zebra_stripes=False)
        yield Static(id="runs-empty", classes="empty")
        yield Static(id="runs-detail")

    def on_mount(self) -> None:
        self.query_one(Input).value = self.view.get("filter", "")
        if self.query_one(Input).value:
            self.query_one(Input).remove_class("-idle")
        self.app.runs.everywhere = bool(self.view.get("everywhere"))
        self.query_one(Table).focus()
        poll_every(self, EVERY, self._read, self.show)

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self._redraw)

    def on_resize(self, event: Any) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._redraw)

    def focus_main(self) -> None:
        self.query_one(Table).focus()

    def _read(self) -> list[RunSummary]:
        """In a thread: the runs as they are now."""
        try:
            found = self.app.runs.poll()
        except (CnnblocksError, OSError) as error:
            self._problem = str(error)
            return []
        self._problem = ""
        return found

    def show(self, runs: list[RunSummary]) -> None:
        """Show these runs; only what changed is drawn again."""
        self._runs, self._listed = runs, True
        alive = {run.path for run in runs}
        self.marked = [path for path in self.marked if path in alive]
        self._redraw()

    @property
    def chosen(self) -> RunSummary | None:
        """The run under the cursor."""
        table = self.query_one(Table)
        if not table.is_valid_coordinate(table.cursor_coordinate):
            return None
        key = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value
        return next((run for run in self._runs if str(run.path) == key), None)

    def _visible(self) -> list[RunSummary]:
        query = self.query_one(Input).value
        column = self._sort_column()
        found = [run for run in self._runs if matches(run, query)]
        return sorted(found, key=column.sort, reverse=not self.view.get("ascending", False))

    def _sort_column(self) -> Column:
        wanted = self.view.get("sort", "created")
        return next((column for column in COLUMNS if column.key == wanted), COLUMNS[5])

    def _redraw(self) -> None:
        if not self._listed or not self.is_mounted:
            return
        visible = self._visible()
        hidden = self.has_class("-empty")
        self.set_class(not visible, "-empty")
        if not visible:
            self.tell("#runs-empty", Text(self._nothing()))
        elif hidden and self.focused is None:
            # What is hidden loses the focus.
            self.call_after_refresh(self.focus_main)
        self._fit_columns()
        rows = {str(run.path): self._cells(run) for run in visible}
        if list(rows) == list(self._shown):
            self._update_cells(rows)
        else:
            self._fill(rows)
        self._shown = rows
        self._show_detail()

    def _nothing(self) -> str:
        if self._problem:
            return self._problem
        if self._runs:
            return "No run fits the filter. Press escape to clear it."
        return f"No runs yet in {self.app.runs.runs_dir}.\nPress n to train a network."

    def _fit_columns(self) -> None:
        room = self.size.width - 1
        fitting: list[Column] = []
        for column in COLUMNS:
            if room < column.width + _PADDING:
                break
            room -= column.width + _PADDING
            fitting.append(column)
        if fitting == self._columns:
            return
        self._columns = fitting
        self._shown = {}
        table = self.query_one(Table)
        table.clear(columns=True)
        for column in fitting:
            table.add_column(self._heading(column), width=column.width, key=column.key)

    def _heading(self, column: Column) -> str:
        if column.key != self._sort_column().key or column.key == "mark":
            return column.label
        return f"{column.label}{'▲' if self.view.get('ascending') else '▼'}"

    def _update_cells(self, rows: dict[str, tuple[Any, ...]]) -> None:
        table = self.query_one(Table)
        for key, cells in rows.items():
            for column, old, new in zip(self._columns, self._shown[key], cells, strict=True):
                if old != new:
                    table.update_cell(key, column.key, new)

    def _fill(self, rows: dict[str, tuple[Any, ...]]) -> None:
        table = self.query_one(Table)
        chosen = self.chosen
        wanted = str(chosen.path) if chosen else self.view.get("chosen")
        table.clear()
        for key, cells in rows.items():
            table.add_row(*cells, key=key)
        if wanted in rows:
            table.move_cursor(row=list(rows).index(wanted), animate=False)

    def _cells(self, run: RunSummary) -> tuple[Any, ...]:
        return tuple(getattr(self, f"_cell_{column.key}")(run) for column in self._columns)

    def _cell_mark(self, run: RunSummary) -> Text:
        if run.path not in self.marked:
            return Text("●" if self._pinned(run) is not None else " ", self._color(run))
        return Text(series_mark(self.marked.index(run.path)), f"bold {self._color(run)}")

    def _pinned(self, run: RunSummary) -> int | None:
        pinned = self.view.get("colors", {}).get(run.id)
        return pinned if isinstance(pinned, int) else None

    def _color(self, run: RunSummary) -> str:
        pinned = self._pinned(run)
        index = self.marked.index(run.path) if run.path in self.marked else 0
        return series_color(index if pinned is None else pinned, self.app.current_theme.dark)

    def _cell_state(self, run: RunSummary) -> Text:
        return state_text(self.app, run.state)

    def _cell_network(self, run: RunSummary) -> str:
        return run.network or "?"

    def _cell_epoch(self, run: RunSummary) -> str:
        return f"{run.epoch}/{run.epochs}" if run.epochs else "–"

    def _cell_best(self, run: RunSummary) -> str:
        value = _best(run)
        return f"{value:.4f}" if value >= 0 else "–"

    def _cell_created(self, run: RunSummary) -> str:
        if not run.created:
            return "–"
        started = datetime.fromtimestamp(run.created)
        today = started.date() == datetime.now().date()
        return started.strftime("%H:%M" if today else "%m-%d")

    def _cell_left(self, run: RunSummary) -> str:
        return wording.duration(run.seconds_left)

    def _cell_curve(self, run: RunSummary) -> str:
        return wording.sparkline(run.accuracies, 8)

    def _cell_data(self, run: RunSummary) -> str:
        return run.data or "?"

    def _cell_speed(self, run: RunSummary) -> str:
        return wording.count(_speed(run))

    def _cell_id(self, run: RunSummary) -> str:
        return run.id

    def _cell_note(self, run: RunSummary) -> str:
        return run.note.splitlines()[0] if run.note else ""

    def _show_detail(self) -> None:
        run = self.chosen
        if run is None:
            self.tell("#runs-detail", Text())
            return
        lines = [Text(run.id, style="bold")]
        if run.problem or run.reason:
            lines.append(Text(run.problem or run.reason))
        facts = [f"{run.network} on {run.data}", f"epoch {self._cell_epoch(run)}"]
        facts = [] if run.problem else facts
        if _speed(run):
            facts.append(f"{wording.count(_speed(run))} images/s")
        if run.best:
            facts.append(
                f"best {run.best.get('metric')} {wording.number(run.best.get('value'))} "
                f"in epoch {run.best.get('epoch')}"
            )
        if not run.writable:
            facts.append("read only: it belongs to somebody else")
        lines.append(Text(" · ".join(facts), style="dim"))
        if run.note:
            lines.append(Text(f"note: {run.note.splitlines()[0]}", style="italic"))
        self.tell("#runs-detail", Text("\n").join(lines))

    def on_input_changed(self, event: Input.Changed) -> None:
        self.view["filter"] = event.value
        self._redraw()

    def on_input_submitted(self) -> None:
        self.focus_main()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        if self.chosen is not None and self._shown:
            self.view["chosen"] = str(self.chosen.path)
        self._show_detail()

    def on_data_table_row_selected(self) -> None:
        self.action_open()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        key = str(event.column_key.value)
        if key == self._sort_column().key:
            self.action_reverse()
        else:
            self._sort_by(key)

    def action_open(self) -> None:
        if self.chosen is not None:
            self.app.show_run(self.chosen.path)

    def action_new(self) -> None:
        self.app.show_new_run()

    def action_filter(self) -> None:
        self.open_filter("Input")

    def action_stop(self) -> None:
        self._steer(lambda run: run.ask("stop-after-epoch"), "will stop after this epoch")

    def action_stop_now(self) -> None:
        self._steer(lambda run: run.ask("stop"), "is asked to stop now")

    def action_resume(self) -> None:
        self._steer(lambda run: run.launch(), "goes on")

    def action_mark(self) -> None:
        run = self.chosen
        if run is None:
            return
        if run.path in self.marked:
            self.marked.remove(run.path)
        else:
            self.marked.append(run.path)
        self._redraw()
        self.query_one(Table).action_cursor_down()

    def action_overlay(self) -> None:
        from cnnblocks_tui.screens.run import RunScreen

        if not self.marked:
            self.notify("Mark at least one run with space first.")
            return
        first, *others = self.marked
        self.app.push_screen(RunScreen(first, overlays=others))

    def action_color(self) -> None:
        run = self.chosen
        if run is None:
            return
        colors = self.view.setdefault("colors", {})
        following = 0 if self._pinned(run) is None else colors[run.id] + 1
        if following < 8:
            colors[run.id] = following
        else:
            del colors[run.id]
        self._redraw()

    def action_sort(self) -> None:
        keys = [column.key for column in self._columns if column.key not in ("mark", "curve")]
        now = self._sort_column().key
        self._sort_by(keys[(keys.index(now) + 1) % len(keys)] if now in keys else keys[0])

    def action_reverse(self) -> None:
        self.view["ascending"] = not self.view.get("ascending", False)
        self._columns = []
        self._redraw()

    def action_duplicate(self) -> None:
        if self.chosen is not None:
            self.app.show_new_run(like=self.chosen.path)

    def action_note(self) -> None:
        run = self.chosen
        if run is not None:
            ask_note(self, run.path)

    def action_delete(self) -> None:
        run = self.chosen
        if run is None:
            return

        def delete(sure: bool | None) -> None:
            if sure:
                self._steer(lambda run: run.delete(), "is deleted", run.path)

        self.app.push_screen(
            Confirm(f"Delete {run.id} with its checkpoints and weights?", "Delete"), delete
        )

    def action_everywhere(self) -> None:
        lister = self.app.runs
        lister.everywhere = not lister.everywhere
        self.view["everywhere"] = lister.everywhere
        place = "every place" if lister.everywhere else str(lister.runs_dir)
        self.notify(f"Runs of {place}")

    def _sort_by(self, key: str) -> None:
        self.view["sort"] = key
        self._columns = []
        self._redraw()

    def _steer(
        self, act: Callable[[RunDirectory], Any], done: str, path: Path | None = None
    ) -> None:
        chosen = self.chosen
        target = path or (chosen.path if chosen else None)
        if target is not None:
            steer(self, target, act, done)


def state_text(app: Any, state: str) -> Text:
    """A state as sign and word, in its colour."""
    from cnnblocks_tui.readings import STATE_COLORS

    color = app.theme_variables.get(STATE_COLORS.get(state, "foreground"), "")
    return Text(f"{STATE_SIGNS.get(state, '?')} {state}", color)


def steer(screen: Place, path: Path, act: Callable[[RunDirectory], Any], done: str) -> None:
    """Do something to a run, in a thread, and say that it was done, or why not."""
    app = screen.app

    async def work() -> None:
        try:
            await asyncio.to_thread(lambda: act(RunDirectory(path)))
        except (CnnblocksError, OSError) as error:
            app.notify(str(error), severity="error", timeout=8)
        else:
            app.notify(f"{path.name} {done}.")

    # The application's work, for it is to be done though the screen be left meanwhile.
    task: Any = work
    app.run_worker(task, group="steer")


def ask_note(screen: Place, path: Path) -> None:
    """Ask for a run's note and write it."""
    screen.in_background(_ask_note, screen, path, group="note")


async def _ask_note(screen: Place, path: Path) -> None:
    try:
        note = await asyncio.to_thread(lambda: RunDirectory(path).note)
    except (CnnblocksError, OSError, ValueError) as error:
        screen.notify(f"The note cannot be read: {error}", severity="error", timeout=8)
        return

    def write(text: str | None) -> None:
        if text is not None:
            steer(screen, path, lambda run: setattr(run, "note", text.strip()), "has its note")

    screen.app.push_screen(Ask(f"Note of {path.name}", note), write)
