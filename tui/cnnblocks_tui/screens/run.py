"""One run as it goes on: progress, curves, console, warnings, results, configuration."""

import asyncio
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.css.query import NoMatches
from textual.widgets import RichLog, Static, TabbedContent, TabPane, Tabs

from cnnblocks.errors import CnnblocksError
from cnnblocks.runs import Checkpoint
from cnnblocks_tui import wording
from cnnblocks_tui.actions import bindings
from cnnblocks_tui.readings import ConsoleTail, Curve, RunFeed, matches
from cnnblocks_tui.screens.base import Place
from cnnblocks_tui.screens.dialogs import Choose
from cnnblocks_tui.screens.polling import poll_every
from cnnblocks_tui.screens.runs import ask_note, state_text, steer
from cnnblocks_tui.widgets.chart import Chart, Series
from cnnblocks_tui.widgets.lists import Table
from cnnblocks_tui.widgets.pixels import Pixels

if TYPE_CHECKING:
    import numpy as np

EVERY = 0.4
_TICKS: dict[str, Callable[[float], str]] = {
    "epoch": "{:g}".format,
    "step": "{:,.0f}".format,
    "time": wording.duration,
}
AXES = tuple(_TICKS)
SMOOTHING = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98)
EVENT_SIGNS = {
    "warning": "!",
    "checkpoint": "■",
    "evaluation": "✓",
    "resume": "▶",
    "run_start": "▶",
    "run_end": "●",
}


def smoothed(values: "np.ndarray", weight: float) -> "np.ndarray":
    """An exponential moving average that starts without a bias towards zero.

    Args:
        values: All the points there are, not only those drawn.
        weight: From 0, as it is, towards 1, ever smoother.
    """
    import numpy as np

    if weight <= 0 or len(values) < 3:
        return values
    finite = np.isfinite(values)
    points, averages, last = values[finite], np.empty(int(finite.sum())), 0.0
    # A part is as long as the powers of the weight stay far from the smallest number.
    longest = max(1, int(-150 / math.log10(weight)))
    powers = weight ** np.arange(1, min(longest, len(points)) + 1)
    for start in range(0, len(points), longest):
        part = points[start : start + longest]
        decay = powers[: len(part)]
        averages[start : start + longest] = decay * (last + (1 - weight) * np.cumsum(part / decay))
        last = averages[start + len(part) - 1]
    kept = np.full(len(values), np.nan)
    kept[finite] = averages / (1 - weight ** np.arange(1, len(points) + 1))
    latest = np.maximum.accumulate(np.where(finite, np.arange(len(values)), 0))
    return kept[latest]


class RunScreen(Place):
    """A run, live.

    Args:
        path: The run directory.
        overlays: Other runs whose curves are drawn with it.
    """

    NAME = "run"
    HELP = (
        "A run as it goes on. Training is a process of its own: leaving this screen, or the "
        "program, does not touch it. [ and ] change tabs; + and - smooth; x changes the axis."
    )
    CSS_PATH = "run.tcss"
    BINDINGS = bindings("run", "tabs")

    def __init__(self, path: Path, overlays: Iterable[Path] = ()) -> None:
        super().__init__()
        self.path = path
        self.feeds = [RunFeed(path), *(RunFeed(other) for other in overlays)]
        self.console_tail = ConsoleTail(path / "console.log")
        self.held = False
        self._still: list[RunFeed] = []
        self._drawn: object = None
        self._notices_drawn = 0
        self._evaluation: Any = None
        self._evaluation_read: tuple[float, Path] | None = None
        self._behind = False
        self._drawn_at = 0.0
        self._checkpoints: list[Checkpoint] = []
        self._checkpoints_drawn: Mapping[str, tuple[str, ...]] = {}

    def compose_body(self) -> ComposeResult:
        yield Static(id="run-head")
        yield Static(id="run-facts")
        with TabbedContent(id="run-tabs"):
            with TabPane("Curves", id="tab-curves"), Container(id="curves"):
                yield Chart("loss", id="loss", empty="Curves appear after the first steps.")
                yield Chart("accuracy", id="accuracy", empty="")
            with TabPane("Events", id="tab-events"):
                yield RichLog(id="events", max_lines=1000, wrap=True)
            with TabPane("Console", id="tab-console"):
                yield RichLog(id="console", max_lines=2000, wrap=False)
            with TabPane("Results", id="tab-results"), Container(id="results"):
                yield Table(id="classes", cursor_type="row")
                yield Pixels(id="confusion", empty="Not evaluated yet. Press v to do so.")
            with TabPane("Checkpoints", id="tab-checkpoints"):
                yield Table(id="checkpoints", cursor_type="row")
            with TabPane("Configuration", id="tab-config"), VerticalScroll():
                yield Static(id="config-text")

    def on_mount(self) -> None:
        self.query_one("#classes", Table).add_columns("class", "precision", "recall", "images")
        self.query_one("#checkpoints", Table).add_columns("checkpoint", "epoch", "size", "written")
        self.query_one("#loss").focus()
        poll_every(self, EVERY, self._read, self._show, lambda: self._behind)

    def on_resize(self, event: Any) -> None:
        super().on_resize(event)
        self._drawn = None

    def focus_main(self) -> None:
        self.query_one("#loss").focus()

    @property
    def feed(self) -> RunFeed:
        """The run that the screen is about."""
        return self.feeds[0]

    def _read(self) -> list[str]:
        """In a thread: some of what is new in the files."""
        behind = [feed for feed in self.feeds if feed not in self._still and feed.poll()]
        self._behind = bool(behind)
        if self.held:
            # A run that is drawn over a held one is read to its present end.
            self._still = [feed for feed in self.feeds if feed not in behind]
        else:
            run = self.feed.run
            self._checkpoints = run.checkpoints if run is not None else []
            self._read_evaluation()
        return self.console_tail.poll()

    def _read_evaluation(self) -> None:
        newest = _newest(self.path / "evaluation")
        if newest is None or newest == self._evaluation_read:
            return
        self._evaluation_read = newest
        try:
            self._evaluation = json.loads(newest[1].read_text())
        except (OSError, ValueError) as error:
            self._evaluation = f"{newest[1].name} cannot be read: {error}"

    def _show_again(self) -> None:
        """Show what a key changed; while a thread reads, its own showing follows at once."""
        if not self.reading:
            self._show([])

    def _show(self, console: list[str]) -> None:
        if console:
            log = self.query_one("#console", RichLog)
            for line in console:
                log.write(Text(line))
        self._show_head()
        self._show_facts()
        self._show_events()
        self._show_checkpoints()
        self._show_results()
        self._show_curves()
        self._show_config()

    def _show_head(self) -> None:
        feed, width = self.feed, max(20, self.size.width - 2)
        head = Text()
        head.append_text(state_text(self.app, feed.state))
        head.append(f"  {feed.path.name}", style="bold")
        if feed.alive and feed.resumed is not None:
            head.append(f"  resumed after epoch {feed.resumed}", style="dim")
        if self.held:
            head.append("  ‖ view held: press p", style="bold reverse")
        trouble = self._trouble()
        if trouble:
            head.append(f"\n{trouble}")
        head.append("\n")
        head.append_text(self._progress(width))
        self.tell("#run-head", head)

    def _trouble(self) -> str:
        feed = self.feed
        if feed.problem and feed.state == "unreadable":
            return feed.problem
        if feed.state == "interrupted":
            sign = wording.ago(feed.status.heartbeat)
            return f"Process gone (last sign {sign}). Press r to go on from the last checkpoint."
        return feed.status.reason

    def _progress(self, width: int) -> Text:
        status = self.feed.status
        within = status.step / status.steps if status.steps else 0.0
        alive = self.feed.alive
        under_way = min(status.epoch + 1, status.epochs) if alive else status.epoch
        left = f"{wording.duration(status.seconds_left)} left" if alive else self._spent()
        labels = f" epoch {under_way}/{status.epochs} "
        room = max(6, (width - len(labels) - len(left) - 18) // 2)
        text = Text(labels, style="bold")
        primary = self.app.theme_variables.get("primary", "")
        shares = (("", within if alive else float(status.epoch > 0)), ("run ", status.progress))
        for label, share in shares:
            text.append(label, style="bold")
            filled = wording.bar(share, room)
            text.append(filled, style=primary)
            text.append("·" * (room - len(filled)), style="dim")
            text.append(f" {100 * share:3.0f}%  ")
        text.append(left)
        return text

    def _spent(self) -> str:
        status = self.feed.status
        if status.started is None:
            return ""
        return f"took {wording.duration((status.ended or status.heartbeat) - status.started)}"

    def _show_facts(self) -> None:
        status, latest = self.feed.status, self.feed.latest
        facts = []
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            value = status.metrics.get(name, (latest.get("metrics") or {}).get(name))
            if isinstance(value, int | float):
                facts.append(f"{name} {wording.number(float(value))}")
        if status.best:
            facts.append(
                f"best {wording.number(status.best.get('value'))} "
                f"in epoch {status.best.get('epoch')}"
            )
        machine = []
        if self.feed.alive:
            machine.append(f"{wording.count(status.images_per_second)} images/s")
        if self.feed.alive and status.learning_rate is not None:
            machine.append(f"rate {status.learning_rate:.3g}")
        machine += _machine_use(self.feed)
        machine.append(self._view_words())
        room = max(20, self.size.width - 2)
        if not self.feed.alive:
            facts, machine = [*facts, *machine], []
        text = Text("\n".join(wording.packed(facts, room)))
        if machine:
            text.append("\n" + "\n".join(wording.packed(machine, room)), style="dim")
        self.tell("#run-facts", text)

    def _view_words(self) -> str:
        weight = SMOOTHING[self.view.get("smoothing", 0)]
        words = [f"over {self._axis()}"]
        if weight:
            words.append(f"smoothing {weight}")
        if self.view.get("log"):
            words.append("log loss")
        return "[" + ", ".join(words) + "]"

    def _pane(self) -> str:
        return self.query_one("#run-tabs", TabbedContent).active

    def _axis(self) -> str:
        axis = self.view.get("axis", "epoch")
        return axis if axis in AXES else "epoch"

    def _show_events(self) -> None:
        feed = self.feed
        total = len(feed.notices)
        newest = (feed.restarts, total, feed.notices[-1] if total else None)
        if newest == self._notices_drawn:
            return
        self._notices_drawn = newest  # type: ignore[assignment]
        log = self.query_one("#events", RichLog)
        log.clear()
        colors = self.app.theme_variables
        for moment, event, text in feed.notices:
            clock = datetime.fromtimestamp(moment).strftime("%H:%M:%S")
            line = Text(f"{clock} ", style="dim")
            style = f"bold {colors.get('warning', '')}" if event == "warning" else ""
            line.append(f"{EVENT_SIGNS.get(event, '·')} {text}", style=style)
            log.write(line)

    def _show_checkpoints(self) -> None:
        if self._pane() != "tab-checkpoints":
            return
        table = self.query_one("#checkpoints", Table)
        rows = {
            checkpoint.name: (
                checkpoint.name,
                "–" if checkpoint.epoch is None else str(checkpoint.epoch),
                wording.size(checkpoint.bytes),
                datetime.fromtimestamp(checkpoint.time).strftime("%m-%d %H:%M:%S"),
            )
            for checkpoint in self._checkpoints
        }
        if rows == self._checkpoints_drawn:
            return
        self._checkpoints_drawn = rows
        chosen, cursor = self._row_chosen(), table.cursor_row
        table.clear()
        for name, cells in rows.items():
            table.add_row(*cells, key=name)
        row = list(rows).index(chosen) if chosen in rows else min(cursor, len(rows) - 1)
        table.move_cursor(row=max(0, row), animate=False)

    def _row_chosen(self) -> str | None:
        """The name of the checkpoint under the cursor."""
        table = self.query_one("#checkpoints", Table)
        if not table.is_valid_coordinate(table.cursor_coordinate):
            return None
        return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value

    def _show_curves(self) -> None:
        pane = self._pane()
        view = self.view
        state = (
            pane,
            self._axis(),
            view.get("smoothing", 0),
            view.get("log", False),
            self.app.theme,
            tuple(
                (feed.restarts, sum(len(curve) for curve in feed.curves.values()))
                for feed in self.feeds
            ),
        )
        early = self._behind and time.monotonic() - self._drawn_at < EVERY
        if pane != "tab-curves" or state == self._drawn or early:
            return
        self._drawn, self._drawn_at = state, time.monotonic()
        for metric in ("loss", "accuracy"):
            # One at a time, so that a key need not wait for both.
            self.call_later(self._draw, metric)

    def _draw(self, metric: str) -> None:
        # A screen that is being closed has lost its charts by now.
        with suppress(NoMatches):
            self.query_one(f"#{metric}", Chart).draw(
                self._series(metric),
                log_y=metric == "loss" and bool(self.view.get("log")),
                x_format=_TICKS[self._axis()],
            )

    def _series(self, metric: str) -> list[Series]:
        several = len(self.feeds) > 1
        series = []
        for index, feed in enumerate(self.feeds):
            color = self._color(feed, index)
            prefix = f"{_short(feed.path)} " if several else ""
            grain = "epoch" if self._axis() == "epoch" and _has(feed, metric, "epoch") else "step"
            pairs = [
                (feed.curves.get((metric, grain)), "train", False),
                (feed.curves.get((f"val_{metric}", "epoch")), "validation", True),
            ]
            for curve, name, dashed in pairs:
                if curve is not None and len(curve):
                    tint = color if several else color + 2 * dashed
                    x = self._places(feed, curve)
                    series.append(self._curve_series(x, curve, f"{prefix}{name}", tint, dashed))
        return series

    def _places(self, feed: RunFeed, curve: Curve) -> "np.ndarray":
        """Where a curve's points are on the axis at hand."""
        import numpy as np

        if self._axis() == "time":
            return np.array(curve.times)
        places = np.array(curve.epochs)
        return places * max(1, feed.status.steps) if self._axis() == "step" else places

    def _curve_series(
        self, x: "np.ndarray", curve: Curve, name: str, color: int, dashed: bool
    ) -> Series:
        import numpy as np

        y = smoothed(np.array(curve.values), SMOOTHING[self.view.get("smoothing", 0)])
        order = np.argsort(x, kind="stable")
        return Series(name, x[order], y[order], color % 8, dashed)

    def _color(self, feed: RunFeed, index: int) -> int:
        pinned = self.app.view_state.view("runs").get("colors", {}).get(feed.path.name)
        return pinned if isinstance(pinned, int) else index

    def _show_results(self) -> None:
        found, self._evaluation = self._evaluation, None
        if isinstance(found, str):
            self.query_one("#confusion", Pixels).say(found)
        elif found is not None:
            self._show_evaluation(found)

    def _show_evaluation(self, content: Mapping[str, Any]) -> None:
        import numpy as np

        table = self.query_one("#classes", Table)
        table.clear()
        names = []
        for entry in class_rows(content):
            names.append(str(entry.get("class", entry.get("name", "?"))))
            table.add_row(
                names[-1],
                wording.number(entry.get("precision")),
                wording.number(entry.get("recall")),
                wording.count(entry.get("images", entry.get("support"))),
            )
        matrix = np.array(content.get("confusion_matrix") or content.get("confusion") or [[]])
        if not matrix.size:
            self.query_one("#confusion", Pixels).say("Press v for the results class by class.")
            return

        def read(row: int, column: int) -> str:
            true = names[row] if row < len(names) else row
            said = names[column] if column < len(names) else column
            return f"{matrix[row, column]} images of {true} taken for {said}"

        accuracy = content.get("accuracy", (content.get("metrics") or {}).get("accuracy"))
        parts = ["" if accuracy is None else f"accuracy {accuracy:.4f}", evaluated_words(content)]
        parts.append("confusion: a row a true class, a column a predicted one")
        caption = " · ".join(part for part in parts if part)
        shown = np.sqrt(matrix.astype(float))
        self.query_one("#confusion", Pixels).show(shown, caption=caption, read=read)

    def _show_config(self) -> None:
        if self._pane() != "tab-config":
            return
        configs = [feed.config for feed in self.feeds if feed.config]
        if configs:
            self.tell("#config-text", config_text(configs))

    def action_next_tab(self) -> None:
        step_tab(self.query_one("#run-tabs", TabbedContent), 1)

    def action_previous_tab(self) -> None:
        step_tab(self.query_one("#run-tabs", TabbedContent), -1)

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        self._drawn = None
        self._show_again()

    def action_stop(self) -> None:
        steer(
            self, self.path, lambda run: run.ask("stop-after-epoch"), "will stop after this epoch"
        )

    def action_stop_now(self) -> None:
        steer(self, self.path, lambda run: run.ask("stop"), "is asked to stop now")

    def action_resume(self) -> None:
        steer(self, self.path, lambda run: run.launch(), "goes on")

    def action_pause(self) -> None:
        self.held = not self.held
        self._still = list(self.feeds) if self.held else []
        self._drawn = None
        self._show_again()

    def action_smoother(self) -> None:
        self.view["smoothing"] = min(len(SMOOTHING) - 1, self.view.get("smoothing", 0) + 1)
        self._show_again()

    def action_rougher(self) -> None:
        self.view["smoothing"] = max(0, self.view.get("smoothing", 0) - 1)
        self._show_again()

    def action_log_axis(self) -> None:
        self.view["log"] = not self.view.get("log", False)
        self._show_again()

    def action_time_axis(self) -> None:
        self.view["axis"] = AXES[(AXES.index(self._axis()) + 1) % len(AXES)]
        for chart in self.query(Chart):
            chart.cursor = None
        self._show_again()

    def action_overlay(self) -> None:
        self.in_background(self._ask_overlay, group="overlay")

    async def _ask_overlay(self) -> None:
        shown = {feed.path for feed in self.feeds}
        known = await asyncio.to_thread(self.app.known_runs)
        others = [run for run in known if run.path not in shown]
        options = [(str(run.path), f"{run.id}  {run.state}") for run in others if matches(run, "")][
            :50
        ]
        if len(self.feeds) > 1:
            options.insert(0, ("", "none: take the others away"))
        if not options:
            self.notify("There is no other run to draw.")
            return
        self.app.push_screen(Choose("Draw the curves of which run, too?", options), self._overlay)

    def _overlay(self, path: str | None) -> None:
        if path is None:
            return
        if path:
            self.feeds.append(RunFeed(Path(path)))
        else:
            del self.feeds[1:]
        self._drawn = None

    def action_weights(self) -> None:
        chosen = self._chosen_checkpoint()
        if chosen is None:
            self.notify("No checkpoint has been written yet.")
        else:
            self.app.show_weights(chosen.weights)

    def action_diff(self) -> None:
        chosen = self._chosen_checkpoint()
        others = [entry for entry in self._checkpoints if chosen and entry.name != chosen.name]
        if chosen is None or not others:
            self.notify("Comparing needs two checkpoints: train with one kept every epoch.")
            return
        options = [(str(entry.weights), _checkpoint_words(entry)) for entry in others]

        def compare(other: str | None) -> None:
            if other:
                self.app.show_diff(Path(other), chosen.weights)

        limit = math.inf if chosen.epoch is None else chosen.epoch
        before = [e for e in others if e.epoch is not None and e.epoch < limit]
        nearest = str(before[-1].weights) if before else None
        self.app.push_screen(Choose(f"Compare {chosen.name} with", options, nearest), compare)

    def _chosen_checkpoint(self) -> Checkpoint | None:
        if not self._checkpoints:
            return None
        named = {checkpoint.name: checkpoint for checkpoint in self._checkpoints}
        if self._pane() == "tab-checkpoints" and (row := self._row_chosen()) is not None:
            return named.get(row)
        return named.get("best") or self._checkpoints[-1]

    def on_data_table_row_selected(self, event: Table.RowSelected) -> None:
        if event.data_table.id == "checkpoints":
            self.action_weights()

    def action_evaluate(self) -> None:
        self.in_background(self._evaluate, group="evaluate")

    async def _evaluate(self) -> None:
        show_tab(self.query_one("#run-tabs", TabbedContent), "tab-results")
        pixels = self.query_one("#confusion", Pixels)
        pixels.say("Evaluating on the test data …")

        def progress(told: Mapping[str, Any]) -> None:
            share = (told.get("done") or 0) / (told.get("total") or 1)
            drawn = wording.bar(share, 20)
            pixels.say(f"Evaluating on the test data  {drawn} {share:.0%}")

        try:
            content = await self.app.engine.ask(
                "evaluate", on_progress=progress, model=str(self.path)
            )
        except CnnblocksError as error:
            pixels.say(str(error))
            return
        if isinstance(content, dict):
            self._show_evaluation(content)

    def action_predict(self) -> None:
        self.app.show_predict(self.path)

    def action_layers(self) -> None:
        self.app.show_layers(self.path)

    def action_note(self) -> None:
        ask_note(self, self.path)

    def action_duplicate(self) -> None:
        self.app.show_new_run(like=self.path)


def step_tab(tabs: TabbedContent, step: int) -> None:
    """Show the next tab, or the one before, round and round."""
    panes = [str(pane.id) for pane in tabs.query(TabPane)]
    show_tab(tabs, panes[(panes.index(tabs.active) + step) % len(panes)])


def show_tab(tabs: TabbedContent, wanted: str) -> None:
    """Show a tab, and keep the keyboard in it if it was in the one before."""
    focused = tabs.screen.focused
    inside = focused is not None and tabs in focused.ancestors
    if inside:
        # A hidden widget's focus would go to its neighbour, and bring the old tab back with it.
        tabs.query_one(Tabs).focus()
    tabs.active = wanted
    if inside:
        tabs.call_after_refresh(_focus_first, tabs.get_pane(wanted))


def _focus_first(pane: TabPane) -> None:
    for widget in pane.query("*"):
        if widget.focusable and widget.display:
            widget.focus()
            return


def class_rows(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The per-class results of an evaluation, as rows."""
    classes = content.get("per_class") or content.get("classes") or []
    if isinstance(classes, Mapping):
        return [{"class": name, **entry} for name, entry in classes.items()]
    return [entry for entry in classes if isinstance(entry, Mapping)]


def evaluated_words(content: Mapping[str, Any]) -> str:
    """Which weights an evaluation is of, and on which images.

    Example:

        >>> evaluated_words({"weights": "best", "epoch": 3, "data": "digits", "split": "test"})
        'best weights, epoch 3, on digits test'
    """
    epoch = content.get("epoch")
    parts = [f"{content['weights']} weights"] if content.get("weights") else []
    parts += [] if epoch is None else [f"epoch {epoch}"]
    images = " ".join(str(content[name]) for name in ("data", "split") if content.get(name))
    return ", ".join(parts + ([f"on {images}"] if images else []))


def config_text(configs: Sequence[Mapping[str, Any]]) -> Text:
    """A configuration line by line; with several, what differs is marked and shown for each."""
    flat = [flattened(config) for config in configs]
    text = Text()
    for key in dict.fromkeys(key for entry in flat for key in entry):
        values = [entry.get(key, "–") for entry in flat]
        differs = len(set(values)) > 1
        sign = "≠ " if differs else "  "
        text.append(f"{sign}{key:<34}", style="bold" if differs else "dim")
        text.append("  |  ".join(values if differs else values[:1]) + "\n")
    return text


def flattened(value: Any, prefix: str = "") -> dict[str, str]:
    """Nested objects as `outer.inner` and a text."""
    if not isinstance(value, Mapping) or not value:
        return {prefix: json.dumps(value) if not isinstance(value, str) else value}
    return {
        key: text
        for name, inner in value.items()
        for key, text in flattened(inner, f"{prefix}.{name}" if prefix else str(name)).items()
    }


def _machine_use(feed: RunFeed) -> list[str]:
    facts = list(feed.process_use())
    for gpu in feed.latest.get("gpu") or []:
        use, memory = gpu.get("use"), gpu.get("memory")
        facts.append(f"GPU {wording.percent(use)}, its memory {wording.percent(memory)}")
    return facts if feed.alive else []


def _newest(directory: Path) -> tuple[float, Path] | None:
    try:
        found = [path for path in directory.iterdir() if path.suffix == ".json"]
        return max(((path.stat().st_mtime, path) for path in found), default=None)
    except OSError:
        return None


def _has(feed: RunFeed, metric: str, grain: str) -> bool:
    curve = feed.curves.get((metric, grain))
    return curve is not None and len(curve) > 1


def _checkpoint_words(checkpoint: Checkpoint) -> str:
    epoch = checkpoint.epoch
    named = epoch is None or checkpoint.name.startswith("epoch-")
    return checkpoint.name if named else f"{checkpoint.name}  epoch {epoch}"


def _short(path: Path) -> str:
    return path.name[14:] if len(path.name) > 20 else path.name
