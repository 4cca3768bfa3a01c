"""How fast cnnblocks-tui starts and answers, and whether its memory grows.

Run: python benchmarks/tui.py [--short] [--peer] [--watch SECONDS]. First paint is taken from the
start of a process in a terminal of its own until a word stands on its screen, beside the smallest
Textual application and, with --peer, beside `harlequin`, a terminal program for databases, which is
installed into an environment that is thrown away. Keys are timed from their arrival to the repaint
that shows what they did: while a trainer writes 200 events a second, ten runs with long logs are
listed and a large file is measured. Beside them stand the keys of the smallest Textual application
next to the same trainer, and the processor's time, which a busy machine does not lengthen.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import report

FAKE_TRAINER = Path(__file__).parents[1] / "tests" / "tui" / "fake_trainer.py"
PEER = "harlequin==2.17.0"
SMALLEST = """
from textual.app import App
from textual.widgets import Static
class Smallest(App):
    def compose(self):
        yield Static("ready")
Smallest().run()
"""
MiB = 2**20


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    starts: int
    keys: int
    events: int
    megabytes: int
    watch: int


SHORT = Size(starts=3, keys=60, events=10_000, megabytes=200, watch=20)
FULL = Size(starts=9, keys=400, events=100_000, megabytes=2000, watch=300)


def first_paint(command: Sequence[str], word: str, times: int) -> list[float]:
    """Seconds from starting a program until a word stands on its 80x24 screen."""
    _start(command, word)
    return [_start(command, word) for _ in range(times)]


def _start(command: Sequence[str], word: str) -> float:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    for name in ("COLUMNS", "LINES"):
        environment.pop(name, None)
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    try:
        _await_word(ours, word)
        return time.perf_counter() - started
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _await_word(terminal: int, word: str) -> None:
    shown, deadline = "", time.monotonic() + 60
    while word not in re.sub(r"\x1b\[[0-9;?>=]*[A-Za-z]", "", shown):
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError(f"{word!r} did not appear: {shown[-500:]!r}")
        shown += os.read(terminal, 1 << 16).decode("utf-8", "replace")


def peer_command(home: Path) -> list[str] | None:
    """Install the peer into a new environment; `None`, with a notice, where that fails."""
    environment = home / "peer"
    pip = [str(environment / "bin" / "pip"), "install", "--quiet", PEER]
    try:
        for command in ([sys.executable, "-m", "venv", str(environment)], pip):
            subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{PEER} could not be installed and is left out: {error}")
        return None
    options = ["--locale", "C", "--no-download-tzdata"]
    return [str(environment / "bin" / "harlequin"), *options]


def large_file(path: Path, megabytes: int) -> None:
    """A weight file of 4 MB tensors in Keras 3's layout."""
    import h5py

    values = np.random.default_rng(0).normal(size=(1024, 1024)).astype("float32")
    with h5py.File(path, "w") as file:
        for index in range(megabytes // 4):
            group = f"layers/dense_{index}" if index else "layers/dense"
            file[f"{group}/vars/0"] = values


def long_runs(runs_dir: Path, number: int, events: int) -> None:
    """Runs with long logs."""
    for _ in range(number):
        long_run(runs_dir, events)


def long_run(runs_dir: Path, events: int):
    """A run of which a long log has been written."""
    from cnnblocks.runs import RunDirectory

    line = {"schema": 1, "time": 0, "event": "progress", "epoch": 1, "step": 1, "steps": 9}
    text = (json.dumps(line | {"metrics": {"loss": 1.0, "accuracy": 0.5}}) + "\n") * events
    config = {"network": "vgg16", "data": {"name": "digits"}, "epochs": 100_000}
    run = RunDirectory.create(config, runs_dir)
    (run.path / "events.jsonl").write_text(text)
    return run


def application(runs_dir: Path):
    """The program, able to tell when a paint has shown another state than before."""
    from cnnblocks_tui import app as program
    from cnnblocks_tui import latency
    from cnnblocks_tui.settings import load_settings

    class Timed(TellsPaints, program.CnnblocksApp):
        CSS_PATH = Path(program.__file__).with_name("app.tcss")

    latency.prepare()
    return Timed(load_settings(runs_dir=runs_dir), settles=True)


class TellsPaints:
    """An application that tells when a paint has shown another state than before."""

    state: Callable[[], object] = staticmethod(lambda: None)
    before: object = None

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.painted = asyncio.Event()

    def _display(self, screen, renderable) -> None:
        super()._display(screen, renderable)
        if self.state() != self.before:
            self.painted.set()


def smallest_application():
    """A number that two keys change."""
    from textual.app import App
    from textual.reactive import reactive
    from textual.widgets import Static

    class Smallest(TellsPaints, App):
        BINDINGS = (("j", "change(1)", "More"), ("k", "change(-1)", "Less"))
        number = reactive(0)

        def compose(self):
            yield Static("0")

        def action_change(self, by: int) -> None:
            self.number += by

        def watch_number(self, number: int) -> None:
            for shown in self.query(Static):
                shown.update(str(number))

    return Smallest()


async def answer_times(
    app, keys: Sequence[str], state: Callable[[], object], times: int
) -> list[tuple[float, float]]:
    """Seconds from the arrival of a key to the first paint after it changed the state.

    Beside them the seconds of processor that the thread of the screen took for it.
    """
    from textual.events import Key

    app.state, taken = state, []
    for index in range(times):
        key = keys[index % len(keys)]
        app.before = state()
        app.painted.clear()
        started, worked = time.perf_counter(), time.thread_time()
        app.post_message(Key(key, key if len(key) == 1 else None))
        await asyncio.wait_for(app.painted.wait(), timeout=60)
        taken.append((time.perf_counter() - started, time.thread_time() - worked))
        await asyncio.sleep(0.05)
    return taken


Times = dict[str, list[tuple[float, float]]]


async def under_load(home: Path, size: Size) -> tuple[Times, np.ndarray]:
    """Key times on three screens, and the resident bytes while a run is watched."""
    from textual.widgets import DataTable

    runs_dir, file = home / "runs", home / "large.weights.h5"
    large_file(file, size.megabytes)
    long_runs(runs_dir, 10, size.events)
    run = long_run(runs_dir, size.events)
    options = ["--epochs", "100000", "--steps", "200", "--pause", "0.005"]
    trainer = subprocess.Popen([sys.executable, str(FAKE_TRAINER), str(run.path), *options])
    app, found = application(runs_dir), {}
    try:
        smallest = smallest_application()
        async with smallest.run_test(size=(120, 36)) as pilot:
            await pilot.pause(3)
            found["the smallest Textual application"] = await answer_times(
                smallest, ["j", "k"], lambda: smallest.number, size.keys
            )
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.pause(3)
            table = app.screen.query_one(DataTable)
            found["list of runs"] = await answer_times(
                app, ["j", "k"], lambda: table.cursor_row, size.keys
            )
            app.show_run(run.path)
            await pilot.pause(5)
            chart = app.screen.query_one("#loss")
            await pilot.press("left", "left")
            found["live run"] = await answer_times(
                app, ["right", "left"], lambda: chart.cursor, size.keys
            )
            memory = await resident_memory(pilot, size.watch)
            found["large file being measured"] = await while_measuring(app, pilot, file, size.keys)
    finally:
        trainer.kill()
        trainer.wait()
    return found, memory


async def while_measuring(app, pilot, file: Path, keys: int) -> list[tuple[float, float]]:
    """Key times on the tensors of a file that is opened, and so measured, again and again."""
    from textual.widgets import Tree

    taken: list[tuple[float, float]] = []
    before = None
    while len(taken) < keys:
        app.show_weights(file)
        while getattr(app.screen, "table", None) in (None, before):
            await pilot.pause(0.1)
        before = app.screen.table
        await pilot.pause(1)
        if not taken:
            await pilot.press("b")
        taken += await answer_times(
            app, ["j", "k"], lambda: app.screen.query_one(Tree).cursor_line, 20
        )
    return taken


async def resident_memory(pilot, seconds: int) -> np.ndarray:
    """Resident bytes, once a second."""
    process, sizes = psutil.Process(), []
    for _ in range(seconds):
        await pilot.pause(1.0)
        sizes.append(float(process.memory_info().rss))
    return np.array(sizes)


def slope(sizes: np.ndarray) -> tuple[float, float, int]:
    """Growth in bytes an hour and its standard error, of all samples but the first quarter."""
    settled = sizes[len(sizes) // 4 :]
    (growth, _), covariance = np.polyfit(np.arange(len(settled)), settled, 1, cov=True)
    return 3600 * growth, 3600 * float(np.sqrt(covariance[0, 0])), len(settled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="small files and few keys")
    parser.add_argument("--peer", action="store_true", help=f"install {PEER} and start it too")
    parser.add_argument("--watch", type=int, metavar="SECONDS", help="how long memory is watched")
    chosen = parser.parse_args()
    size = SHORT if chosen.short else FULL
    size = Size(**{**vars(size), "watch": max(8, chosen.watch or size.watch)})
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        home = Path(folder)
        for kind in ("STATE", "CONFIG", "CACHE"):
            os.environ[f"CNNBLOCKS_{kind}_DIR"] = str(home / kind.lower())
        paints = starts(home, size.starts, chosen.peer)
        found, memory = asyncio.run(under_load(home, size))
    report.write("tui", "The terminal program", body(size, paints, found, memory))


def starts(home: Path, times: int, with_peer: bool) -> list[list[object]]:
    """A row for every program: its name and the median, least and greatest first paint."""
    ours = [sys.executable, "-m", "cnnblocks_tui", "--runs-dir", str(home / "none")]
    programs = [
        ("the smallest Textual application", [sys.executable, "-c", SMALLEST], "ready"),
        ("cnnblocks-tui", ours, "Networks"),
    ]
    peer = peer_command(home) if with_peer else None
    if peer is not None:
        programs.append((PEER, peer, "Data Catalog"))
    rows = []
    for name, command, word in programs:
        taken = first_paint(command, word, times)
        figures = (statistics.median(taken), min(taken), max(taken))
        rows.append([name, *(f"{seconds:.2f}" for seconds in figures)])
    return rows


def key_row(place: str, taken: list[tuple[float, float]]) -> list[object]:
    """A row for a screen: percentiles of the wall clock's time and of the processor's."""
    waited, worked = 1000 * np.array(taken).T
    percentiles = [np.percentile(times, p) for times in (waited, worked) for p in (50, 99)]
    return [place, *(f"{value:.1f} ms" for value in percentiles), len(taken)]


def body(size: Size, paints: list, found: Times, memory: np.ndarray) -> str:
    """The result in Markdown."""
    keys = [key_row(place, taken) for place, taken in found.items()]
    headers = ["where", "50th percentile", "99th percentile"]
    headers += ["processor: 50th", "processor: 99th", "keys"]
    growth, error, samples = slope(memory)
    return "\n\n".join(
        [
            f"Textual {version('textual')}. First paint at 80x24, from the start of the process, "
            f"in seconds, {size.starts} starts:",
            report.table(["application", "median", "least", "greatest"], paints),
            f"From a key to the repaint, while a trainer writes 200 events a second, ten runs with "
            f"{size.events:,} events each are listed, and, in the last row, a file of "
            f"{size.megabytes:,} MB is measured:",
            report.table(headers, keys),
            f"Resident memory while a run is watched: {memory[0] / MiB:.1f} MiB at first, "
            f"{memory[-1] / MiB:.1f} MiB {len(memory)} s later. A line through the last {samples} "
            f"samples rises by {growth / MiB:+.1f} ± {error / MiB:.1f} MiB an hour (standard "
            f"error; {samples} s are taken for an hour).",
        ]
    )


if __name__ == "__main__":
    main()
