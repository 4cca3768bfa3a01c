"""Paths that the program is started with, and what may not be looked at."""

import importlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import cnnblocks_tui.app
import cnnblocks_tui.settings  # noqa: F401 - imported before their folder is locked
from cnnblocks.paths import PathError
from cnnblocks_tui.command import cnnblocks_tui as command
from cnnblocks_tui.opening import OpeningError, kind_of, weight_files

pytestmark = pytest.mark.skipif(
    not hasattr(os, "seteuid"), reason="folders are not locked like this here"
)


@pytest.fixture
def locked():
    """A folder that nobody may enter; the process gives up being root, if it is."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    (folder / "locked").mkdir(mode=0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder / "locked"
    if root:
        os.seteuid(0)
        importlib.invalidate_caches()
    shutil.rmtree(folder)


def test_a_directory_that_may_not_be_entered_is_one_line(locked):
    ended = CliRunner().invoke(command, [str(locked)])
    assert ended.exit_code == 2
    assert ended.output == f"Error: {locked} cannot be read: Permission denied.\n"
    with pytest.raises(OpeningError, match="Permission denied"):
        kind_of(locked / "model.h5")


def test_a_subdirectory_that_may_not_be_entered_is_passed_over(locked):
    run = locked.with_name("z-run")
    run.mkdir()
    (run / "config.json").write_text("{}")
    assert kind_of(locked.parent) == ("runs", locked.parent)


def test_a_weight_file_beside_a_locked_directory_is_found(locked):
    (locked.parent / "model.txt").write_text("")
    assert weight_files(locked.parent) == [locked.parent / "model.txt"]
    assert kind_of(locked.parent) == ("weights", locked.parent)


def test_a_user_that_is_not_here_is_said_so():
    with pytest.raises(PathError, match="no user here"):
        kind_of(Path("~nobody-here/model.h5"))


async def test_remembered_files_that_may_not_be_looked_at_are_left_out(open_app, wait_for):
    path = "/" + "x" * 300
    with pytest.raises(OSError, match="too long"):
        Path(path).exists()
    async with open_app() as (app, pilot):
        app.view_state.view("weights")["recent"] = [path]
        app.view_state.view("predict").update(model=path, images=[path])
        await pilot.press("3")
        await wait_for(pilot, "No weight file is open.")
        await pilot.press("4")
        await wait_for(pilot, "No model yet.")
