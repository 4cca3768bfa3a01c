"""A run as it is watched in a terminal: live for people, plain lines for everything else."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from cnnblocks.cli.options import is_terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cnnblocks.runs import EventTail, RunDirectory

_INTERVAL = 0.25
_AFTER_SIGNAL = {"SIGINT": 130, "SIGTERM": 143}


def watch(run: "RunDirectory", live: bool) -> str:
    """Show a run until its process ends, and return the state it ends in.

    Args:
        run: The run.
        live: Redraw in place; otherwise a line is printed for every epoch and warning.
    """
    return _watch_live(run) if live else _watch_lines(run)


@contextmanager
def foreground(run: "RunDirectory") -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Show a run that this process trains.

    Yields:
        An observer to give to the trainer: called with every event's name and fields.
    """
    from cnnblocks.cli.texts import event_line

    if not is_terminal():
        # Read anew every time: a run that is resumed may be given more epochs than it had.
        yield lambda name, fields: _echo(
            event_line({"event": name, **fields}, run.config.get("epochs", 0))
        )
        return
    from rich.live import Live

    view = RunView(run)
    with Live(get_renderable=view.render, refresh_per_second=4):
        yield lambda name, fields: view.add({"event": name, **fields})


def conclude(run: "RunDirectory") -> str:
    """Say how a run ended, its best epoch and what to do next; returns its state."""
    from cnnblocks.cli.texts import best, what_next

    state, status = run.state, run.status
    click.echo(f"{run.id} {state}" + (f": best {best(status.best)}" if status.best else ""))
    if state != "finished" and status.reason:
        click.echo(status.reason, err=True)
    if advice := what_next(state, run.id, run.path):
        click.echo(advice, err=True)
    return state


def exit_status(run: "RunDirectory") -> int:
    """The status to end with after training: 1 for a failed run, 128 + its number for a signal."""
    if run.state == "finished":
        return 0
    received = run.status.reason.partition(" ")[0]
    return _AFTER_SIGNAL.get(received, int(run.state == "failed"))


def _watch_lines(run: "RunDirectory") -> str:
    from cnnblocks.cli.texts import event_line

    tail = run.tail()
    while True:
        over = not run.active
        epochs = run.status.epochs
        while events := tail.poll():
            for event in events:
                _echo(event_line(event, epochs))
        if over:
            return run.state
        time.sleep(_INTERVAL)


def _watch_live(run: "RunDirectory") -> str:
    from rich.live import Live

    tail, view = run.tail(), RunView(run)
    _read_all(tail, view)
    with Live(view.render(), refresh_per_second=8, transient=False) as display:
        while True:
            over = not run.active
            _read_all(tail, view)
            display.update(view.render())
            if over:
                return run.state
            time.sleep(_INTERVAL)


def _echo(line: str) -> None:
    if line:
        click.echo(line)


def _read_all(tail: "EventTail", view: "RunView") -> None:
    restarts = tail.restarts
    while events := tail.poll():
        if tail.restarts != restarts:
            view.forget()
            restarts = tail.restarts
        for event in events:
            view.add(event)


class RunView:
    """What is known of a run from its events, drawn with rich.

    Args:
        run: The run.
        rows: How many epochs and messages to show.
    """

    def __init__(self, run: "RunDirectory", rows: int = 12):
        self.run = run
        self.rows = rows
        self.forget()

    def forget(self) -> None:
        """Begin anew, as when the log was replaced."""
        self.epochs: dict[int, dict[str, Any]] = {}
        self.progress: dict[str, Any] = {}
        self.messages: deque[str] = deque(maxlen=4)

    def add(self, event: dict[str, Any]) -> None:
        """Take an event in."""
        from cnnblocks.cli.texts import event_line

        kind = event["event"]
        if kind == "epoch_end":
            self.epochs[event["epoch"]] = event
            self.progress = {}
        elif kind == "progress":
            self.progress = event
        elif kind in ("warning", "resume", "evaluation"):
            self.messages.append(event_line(event))

    def render(self) -> "RenderableType":
        """The view as it is now."""
        from rich.console import Group
        from rich.text import Text

        messages = [Text(message, style="yellow") for message in self.messages]
        return Group(self._head(), self._table(), self._bars(), *messages)

    def _head(self) -> "RenderableType":
        from rich.text import Text

        from cnnblocks.cli.texts import STATE_STYLES
        from cnnblocks.runs import RunError

        config = self.run.config
        try:
            state = self.run.state
        except RunError:
            state = "unreadable"
        data = config.get("data") or {}
        return Text.assemble(
            (self.run.id, "bold"),
            f"  {config.get('network', '')} on {data.get('name', '')}  ",
            (state, STATE_STYLES[state]),
        )

    def _table(self) -> "RenderableType":
        from rich import box
        from rich.table import Table

        from cnnblocks.cli.texts import duration, number

        shown = [self.epochs[epoch] for epoch in sorted(self.epochs)][-self.rows :]
        names = dict.fromkeys(name for event in shown for name in event.get("metrics") or {})
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("epoch", *names, "img/s", "time"):
            table.add_column(name, justify="right")
        for event in shown:
            values = event.get("metrics") or {}
            speed = event.get("images_per_second")
            table.add_row(
                str(event["epoch"]),
                *(number(values.get(name)) for name in names),
                f"{speed:,.0f}" if speed else "",
                duration(event.get("seconds")),
            )
        return table

    def _bars(self) -> "RenderableType":
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        from cnnblocks.cli.texts import duration, metrics

        status, now = self.run.status, self.progress
        bars = Table.grid(padding=(0, 1))
        left = status.seconds_left
        bars.add_row(
            f"run {status.epoch}/{status.epochs}",
            ProgressBar(total=1.0, completed=status.progress, width=30),
            f"{duration(left)} left" if left else "",
        )
        if now.get("steps"):
            speed = now.get("images_per_second")
            bars.add_row(
                f"epoch {now['epoch']}",
                ProgressBar(total=now["steps"], completed=now["step"], width=30),
                f"{metrics(now.get('metrics') or {})}"
                + (f"  {speed:,.0f} images/s" if speed else ""),
            )
        return bars
