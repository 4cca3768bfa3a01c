"""Files are written where somebody says, and none is lost."""

import pytest
from textual.widgets import Input

from cnnblocks_tui.screens.dialogs import Ask, Confirm
from cnnblocks_tui.screens.saving import save, write_text


async def ask_to_save(app, pilot, wait_for, path, text="new"):
    save(app.screen, "Write it to", "table.md", lambda path: write_text(path, text))
    await wait_for(pilot, lambda: isinstance(app.screen, Ask))
    app.screen.query_one(Input).value = str(path)
    await pilot.press("enter")


async def test_a_file_that_is_there_stays_unless_it_is_given_up(open_app, wait_for, tmp_path):
    mine = tmp_path / "mine.md"
    mine.write_text("mine")
    async with open_app((120, 36)) as (app, pilot):
        for answer, kept in (("enter", "mine"), ("escape", "mine"), ("y", "new")):
            await ask_to_save(app, pilot, wait_for, mine)
            await wait_for(pilot, lambda: isinstance(app.screen, Confirm))
            await wait_for(pilot, "is there already. Write over it?")
            await pilot.press(answer)
            await wait_for(pilot, lambda: app.screen.NAME == "runs")
            if kept == "new":
                await wait_for(pilot, "Written to")
            assert mine.read_text() == kept


async def test_a_new_file_is_written_without_another_question(open_app, wait_for, tmp_path):
    async with open_app((120, 36)) as (app, pilot):
        await ask_to_save(app, pilot, wait_for, tmp_path / "new.md")
        await wait_for(pilot, "Written to")
        assert (tmp_path / "new.md").read_text() == "new"


@pytest.mark.parametrize("place", ["missing/table.md", "."])
async def test_a_place_that_cannot_be_written_is_a_message(place, open_app, wait_for, tmp_path):
    async with open_app((120, 36)) as (app, pilot):
        await ask_to_save(app, pilot, wait_for, tmp_path / place)
        if place == ".":
            await wait_for(pilot, lambda: isinstance(app.screen, Confirm))
            await pilot.press("y")
        await wait_for(pilot, "cannot be written")


async def test_a_working_directory_that_is_gone_is_no_hindrance(
    open_app, wait_for, tmp_path, no_directory
):
    async with open_app((120, 36)) as (app, pilot):
        await ask_to_save(app, pilot, wait_for, tmp_path / "new.md")
        await wait_for(pilot, "Written to")
