"""Choosing files and folders, on the screens that ask for them."""

import os
import shutil
import tempfile
from pathlib import Path

import h5py
import pytest
from PIL import Image
from textual.widgets import Input

from cnnblocks_tui.screens.browse import Browse, listing
from cnnblocks_tui.screens.weights import WeightsScreen


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a weight file, a folder of images, and an empty folder."""
    place = tmp_path / "place"
    (place / "images" / "cat").mkdir(parents=True)
    (place / "empty").mkdir()
    (place / ".hidden").mkdir()
    Image.new("RGB", (8, 8)).save(place / "images" / "one.png")
    with h5py.File(place / "model.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = [[1.0, 2.0]]
    monkeypatch.chdir(place)
    return place


async def ask(app, pilot, wait_for, start, folders=False):
    """Open the dialog; its answer is put into the list that is returned."""
    answers = []
    app.push_screen(Browse("Which?", start, folders), answers.append)
    await wait_for(pilot, lambda: isinstance(app.screen, Browse) and app.screen._shown)
    return answers


async def test_a_file_is_found_by_going_through_folders(open_app, wait_for, place):
    async with open_app() as (app, pilot):
        await pilot.press("3", "o")
        await wait_for(pilot, "model.weights.h5")
        await wait_for(pilot, "images/")
        await pilot.press("down", "down", "enter")
        await wait_for(pilot, "one.png")
        await pilot.press("left")
        await wait_for(pilot, "model.weights.h5")
        await pilot.press("end", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, WeightsScreen))
        await wait_for(pilot, "kernel 1×2")


async def test_a_folder_is_taken_where_one_stands(open_app, wait_for, place):
    async with open_app() as (app, pilot):
        answers = await ask(app, pilot, wait_for, place, folders=True)
        await wait_for(pilot, "take this folder")
        await pilot.press("j", "j", "j", "l")
        await wait_for(pilot, "cat/")
        assert not any(path.suffix == ".png" for path in app.screen._shown)
        await pilot.press("g", "enter")
        await wait_for(pilot, lambda: answers)
        assert answers == [place / "images"]


async def test_a_typed_path_narrows_the_list_and_is_taken(open_app, wait_for, place, press_text):
    async with open_app() as (app, pilot):
        answers = await ask(app, pilot, wait_for, place)
        await pilot.press("shift+tab")
        assert isinstance(app.focused, Input)
        await press_text(pilot, "im")
        await wait_for(pilot, lambda: app.screen._shown == [place / "images"])
        app.focused.value = f"{place}/images/o"
        await wait_for(pilot, lambda: app.screen._shown == [place / "images" / "one.png"])
        await pilot.press("enter")
        await wait_for(pilot, lambda: answers)
        assert answers == [place / "images" / "one.png"]


async def test_a_typed_path_that_is_not_there_is_said_so(open_app, wait_for, place):
    async with open_app() as (app, pilot):
        answers = await ask(app, pilot, wait_for, place, folders=True)
        await pilot.press("shift+tab")
        app.focused.value = "/nowhere/at/all"
        await pilot.press("enter")
        await wait_for(pilot, "✗ There is no folder /nowhere/at/all")
        app.focused.value = str(place / "empty")
        await pilot.press("enter")
        await wait_for(pilot, lambda: answers)
        assert answers == [place / "empty"]


async def test_a_user_that_is_not_here_is_said_so(open_app, wait_for, place):
    async with open_app() as (app, pilot):
        await ask(app, pilot, wait_for, place)
        await pilot.press("shift+tab")
        app.focused.value = "~nobody-here/"
        await wait_for(pilot, "✗ ~nobody-here/ begins with the name of no user here.")
        await pilot.press("enter")
        app.focused.value = str(place / "im")
        await wait_for(pilot, lambda: app.screen._shown == [place / "images"])


async def test_escape_changes_nothing(open_app, wait_for, place):
    async with open_app() as (app, pilot):
        answers = await ask(app, pilot, wait_for, place)
        await pilot.press("escape")
        await wait_for(pilot, lambda: answers)
        assert answers == [None]


async def test_an_empty_folder_and_hidden_ones(open_app, wait_for, place):
    async with open_app() as (app, pilot):
        await ask(app, pilot, wait_for, place / "empty")
        await wait_for(pilot, "this folder is empty")
        await pilot.press("left")
        await wait_for(pilot, "images/")
        assert place / ".hidden" not in app.screen._shown
        await pilot.press("full_stop")
        await wait_for(pilot, ".hidden/")


async def test_a_folder_that_vanishes_is_a_sentence(open_app, wait_for, place):
    async with open_app() as (app, pilot):
        await ask(app, pilot, wait_for, place)
        shutil.rmtree(place / "empty")
        await pilot.press("down", "enter")
        await wait_for(pilot, "There is no file")
        shutil.rmtree(place)
        app.screen._go(place)
        await wait_for(pilot, "cannot be read: No such file or directory")


@pytest.fixture
def locked():
    """A folder that nobody may read; the process gives up being root, if it is."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "locked").mkdir(mode=0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder / "locked"
    if root:
        os.seteuid(0)
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="folders are not locked like this here")
async def test_a_folder_that_may_not_be_read_is_a_sentence(open_app, wait_for, locked):
    with pytest.raises(PermissionError):
        listing(locked, files=True)
    async with open_app(runs_dir=locked) as (app, pilot):
        await wait_for(pilot, "cannot be listed: Permission denied")
        answers = await ask(app, pilot, wait_for, locked.parent)
        await pilot.press("down", "enter")
        await wait_for(pilot, "cannot be read: Permission denied")
        await pilot.press("escape")
        await wait_for(pilot, lambda: answers == [None])


def test_a_start_that_is_gone_begins_above_it(place):
    assert Browse("Which?", place / "gone" / "deeper").folder == place
