"""The comparison of two weight files."""

import threading
import time

import h5py
import numpy as np
import pytest
from textual.widgets import Static

from cnnblocks.weights import WeightFileError
from cnnblocks_tui.screens.diff import DiffScreen


def write(path, values):
    path.parent.mkdir(exist_ok=True, parents=True)
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = values
    return path


@pytest.fixture
def pair(tmp_path):
    values = np.arange(12, dtype="float32").reshape(3, 4)
    return write(tmp_path / "a.weights.h5", values), write(tmp_path / "b.weights.h5", 2 * values)


async def compared(app, pilot, wait_for, pair):
    app.show_diff(*pair)
    await wait_for(pilot, lambda: isinstance(app.screen, DiffScreen) and app.screen.found)
    return app.screen


def hold(lock, seconds):
    """Hold a screen's lock for a while, as a thread does that reads a large file."""
    assert lock.acquire(timeout=5)
    threading.Timer(seconds, lock.release).start()


async def test_leaving_does_not_wait_for_the_thread_that_reads(open_app, wait_for, pair):
    async with open_app((120, 36)) as (app, pilot):
        screen = await compared(app, pilot, wait_for, pair)
        tables = screen._tables
        hold(screen._reading, 6)
        begun = time.monotonic()
        await pilot.press("escape")
        await wait_for(pilot, lambda: not isinstance(app.screen, DiffScreen))
        assert time.monotonic() - begun < 4
        with screen._reading:
            pass
        await pilot.pause(0.2)
        for table in tables:
            with pytest.raises(WeightFileError):
                table.tensors[0].read()


async def test_swapping_does_not_wait_for_the_thread_that_reads(open_app, wait_for, pair):
    async with open_app((120, 36)) as (app, pilot):
        screen = await compared(app, pilot, wait_for, pair)
        hold(screen._reading, 6)
        begun = time.monotonic()
        await pilot.press("x")
        await wait_for(pilot, "Comparing b.weights.h5 with a.weights.h5")
        assert time.monotonic() - begun < 4
        await wait_for(pilot, "< b.weights.h5")


async def test_a_comparison_that_was_left_opens_nothing(open_app, wait_for, pair):
    async with open_app((120, 36)) as (app, pilot):
        screen = await compared(app, pilot, wait_for, pair)
        hold(screen._reading, 2)
        await pilot.press("x")
        await wait_for(pilot, "Comparing b.weights.h5")
        tables = screen._tables
        await pilot.press("escape")
        await wait_for(pilot, lambda: not isinstance(app.screen, DiffScreen))
        await pilot.pause(2.5)
        assert tables == []


async def test_giving_up_is_said_and_the_progress_does_not_go_on(open_app, wait_for, pair):
    async with open_app((120, 36)) as (app, pilot):
        screen = await compared(app, pilot, wait_for, pair)
        hold(screen._reading, 2)
        await pilot.press("x")
        await wait_for(pilot, "Comparing b.weights.h5")
        await pilot.press("ctrl+x")
        await wait_for(pilot, "Given up. Press escape to go back")
        await pilot.pause(2.5)
        assert "Given up" in str(screen.query_one("#diff-head", Static).content)


async def test_names_with_brackets_are_shown_as_they_are(open_app, wait_for, tmp_path):
    values = np.ones((3, 4), "float32")
    one = write(tmp_path / "[a].weights.h5", values)
    other = write(tmp_path / "[bold]" / "[b].weights.h5", values)
    async with open_app((160, 36)) as (app, pilot):
        screen = await compared(app, pilot, wait_for, (one, other))
        hold(screen._reading, 2)
        await pilot.press("x")
        await wait_for(pilot, "Comparing [b].weights.h5 with [a].weights.h5")
        await wait_for(pilot, "The files are equal.")
        other.unlink()
        await pilot.press("x")
        await wait_for(pilot, "[bold]/[b].weights.h5: there is no such file.")


async def test_a_user_that_is_not_here_is_a_message(open_app, wait_for, pair):
    async with open_app((120, 36)) as (app, pilot):
        await compared(app, pilot, wait_for, pair)
        await pilot.press("e")
        await wait_for(pilot, "Write the comparison to")
        app.screen.query_one("#answer").value = "~nobody-here/diff.json"
        await pilot.press("enter")
        await wait_for(pilot, "begins with the name of no user")
