"""How the program starts, what it imports, and how it ends."""

import os
import subprocess
import sys

import pytest

from cnnblocks_tui.app import CnnblocksApp
from cnnblocks_tui.places import log_path, start_logging

FRESH = """
import asyncio, sys
from cnnblocks_tui.app import CnnblocksApp
from cnnblocks_tui.settings import load_settings
async def main():
    app = CnnblocksApp(load_settings())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        print([m for m in ("tensorflow", "jax", "torch", "keras", "h5py", "numpy", "matplotlib",
                           "sklearn") if m in sys.modules])
asyncio.run(main())
"""


def start(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "cnnblocks_tui", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
    )


def test_nothing_heavy_is_imported_by_the_first_paint():
    shown = subprocess.run(
        [sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=60, check=True
    )
    assert shown.stdout.strip() == "[]"


def test_a_path_that_is_not_there_is_one_line():
    ended = start("/nowhere/run")
    assert ended.returncode == 2
    assert ended.stderr == (
        "Error: Nothing exists at /nowhere/run. Name a run, a weight file or a directory.\n"
    )


def test_a_directory_without_runs_or_weights_is_one_line(tmp_path):
    ended = start(str(tmp_path))
    assert ended.returncode == 2 and "holds no runs and no weight files" in ended.stderr


def test_help_ends_with_an_example():
    assert "Example: cnnblocks-tui runs/" in start("--help").stdout


@pytest.mark.parametrize(
    "inside, name",
    [
        ("", "run"),
        ("..", "runs"),
        ("checkpoints/last.weights.h5", "weights"),
        ("checkpoints", "weights"),
    ],
)
async def test_each_kind_of_path_opens_its_screen(open_app, wait_for, new_run, train, inside, name):
    run = new_run()
    train(run)
    async with open_app(target=(run.path / inside).resolve()) as (app, pilot):
        await wait_for(pilot, lambda: name == app.screen.NAME)


async def test_an_uncaught_error_is_a_sentence_and_the_log_has_the_rest(capsys):
    start_logging()
    app = CnnblocksApp()
    with pytest.raises(ZeroDivisionError):
        async with app.run_test() as pilot:
            app.call_later(lambda: 1 / 0)
            await pilot.pause(0.2)
    shown = " ".join(capsys.readouterr().err.split())
    assert "Running trainings go on" in shown and "Traceback" not in shown
    assert "ZeroDivisionError" in log_path().read_text()


async def test_quitting_leaves_training_alone(open_app, wait_for, new_run, train_aside):
    process = train_aside(new_run(), epochs=100)
    async with open_app() as (app, pilot):
        await wait_for(pilot, "▶ running")
        await pilot.press("q")
        await wait_for(pilot, lambda: not app.is_running)
    assert process.poll() is None
