"""How fast cnnblocks-tui starts and answers, beside an empty Textual application.

Run: python benchmarks/tui.py [--short]. First paint is measured in fresh processes. Keys are timed
from their arrival to the repaint, while a trainer writes events, a large file is measured and ten
runs with 100,000 events each are listed; the slope of the resident memory is that of the watching.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import report

FAKE_TRAINER = Path(__file__).parents[1] / "tests" / "tui" / "fake_trainer.py"
PAINT = """
import asyncio, sys, time
started = time.perf_counter()
if sys.argv[1] == "empty":
    from textual.app import App
    app = App()
else:
    from cnnblocks_tui.app import CnnblocksApp
    from cnnblocks_tui.settings import load_settings
    app = CnnblocksApp(load_settings())
async def main():
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        print(time.perf_counter() - started)
asyncio.run(main())
"""


def first_paint(which: str, times: int) -> float:
    """The median of the seconds from the first import to the first paint, in fresh processes."""
    command = [sys.executable, "-c", PAINT, which]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(times)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def large_file(path: Path, megabytes: int) -> None:
    """A weight file of 4 MB tensors in Keras 3's layout."""
    import h5py

    values = np.random.default_rng(0).normal(size=(1024, 1024)).astype("float32")
    with h5py.File(path, "w") as file:
        for index in range(megabytes // 4):
            group = f"layers/dense_{index}" if index else "layers/dense"
            file[f"{group}/vars/0"] = values


def long_runs(runs_dir: Path, number: int, events: int) -> None:
    """Finished runs whose logs are long."""
    from cnnblocks.runs import RunDirectory

    line = {"schema": 1, "time": 0, "event": "progress", "epoch": 1, "step": 1, "steps": 9}
    text = (json.dumps(line | {"metrics": {"loss": 1.0, "accuracy": 0.5}}) + "\n") * events
    for _ in range(number):
        run = RunDirectory.create(
            {"network": "lenet5", "data": {"name": "digits"}, "epochs": 1}, runs_dir
        )
        (run.path / "events.jsonl").write_text(text)


async def answer_times(pilot, keys: list[str], times: int) -> list[float]:
    """Seconds from the arrival of a key to the repaint that follows it."""
    from textual.events import Key

    app, taken = pilot.app, []
    for index in range(times):
        key = keys[index % len(keys)]
        app.painted.clear()
        started = time.perf_counter()
        app.post_message(Key(key, key if len(key) == 1 else None))
        await asyncio.wait_for(app.painted.wait(), timeout=10)
        taken.append(time.perf_counter() - started)
        await asyncio.sleep(0.05)
    return taken


async def under_load(home: Path, short: bool) -> dict[str, list[float]]:
    """Key times on the list of runs, on the live run, and while a large file is measured."""
    import cnnblocks_tui.app
    from cnnblocks.runs import RunDirectory
    from cnnblocks_tui.settings import load_settings

    class Timed(cnnblocks_tui.app.CnnblocksApp):
        """Tells when it has painted."""

        CSS_PATH = Path(cnnblocks_tui.app.__file__).with_name("app.tcss")

        def __init__(self, settings) -> None:
            super().__init__(settings)
            self.painted = asyncio.Event()

        def _display(self, screen, renderable) -> None:
            super()._display(screen, renderable)
            self.painted.set()

    runs_dir, times = home / "runs", 60 if short else 400
    file = home / "large.weights.h5"
    large_file(file, 200 if short else 2000)
    long_runs(runs_dir, 10, 10_000 if short else 100_000)
    config = {"network": "vgg16", "data": {"name": "digits"}, "epochs": 100_000}
    run = RunDirectory.create(config, runs_dir)
    options = ["--epochs", "100000", "--steps", "200", "--pause", "0.005"]
    trainer = subprocess.Popen([sys.executable, str(FAKE_TRAINER), str(run.path), *options])
    app = Timed(load_settings(runs_dir=runs_dir))
    found: dict[str, list[float]] = {}
    try:
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.pause(2)
            found["list of runs"] = await answer_times(pilot, ["j", "k"], times)
            app.show_run(run.path)
            await pilot.pause(2)
            found["live run"] = await answer_times(pilot, ["left", "right"], times)
            app.show_weights(file)
            await pilot.pause(2)
            await pilot.press("b")
            found["large file being measured"] = await answer_times(pilot, ["j", "k"], times)
            app.show_run(run.path)
            found["memory"] = await memory_slope(pilot, 20 if short else 600)
    finally:
        trainer.kill()
        trainer.wait()
    return found


async def memory_slope(pilot, seconds: float) -> list[float]:
    """Resident bytes, once a second, while a run is watched."""
    process, sizes = psutil.Process(), []
    for _ in range(int(seconds)):
        await pilot.pause(1.0)
        sizes.append(float(process.memory_info().rss))
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="small files and few keys")
    short = parser.parse_args().short
    repeats = 3 if short else 9
    paints = [(which, first_paint(which, repeats)) for which in ("empty", "cnnblocks")]
    with tempfile.TemporaryDirectory() as home:
        for kind in ("STATE", "CONFIG", "CACHE"):
            os.environ[f"CNNBLOCKS_{kind}_DIR"] = str(Path(home) / kind.lower())
        found = asyncio.run(under_load(Path(home), short))
    memory = np.array(found.pop("memory"))
    settled = memory[len(memory) // 4 :]
    slope = np.polyfit(np.arange(len(settled)), settled, 1)[0] * 3600
    rows = [
        [place, *(f"{1000 * np.percentile(taken, p):.1f} ms" for p in (50, 99)), len(taken)]
        for place, taken in found.items()
    ]
    body = "\n\n".join(
        [
            "First paint at 80x24, from the first import, median:",
            report.table(
                ["application", "seconds"],
                [
                    ["an empty Textual application", f"{paints[0][1]:.2f}"],
                    ["cnnblocks-tui", f"{paints[1][1]:.2f}"],
                ],
            ),
            "From a key to the repaint, while a trainer writes 200 events a second:",
            report.table(["where", "50th percentile", "99th percentile", "keys"], rows),
            f"Resident memory while watching: {memory[-1] / 2**20:.0f} MiB, slope "
            f"{slope / 2**20:+.1f} MiB an hour over {len(settled)} s.",
        ]
    )
    report.write("tui", "The terminal program", body)


if __name__ == "__main__":
    main()
