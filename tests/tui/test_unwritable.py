"""Places that cannot be written, or that there cannot be, are a message."""

from textual.widgets import Input

from cnnblocks_tui.screens.browse import Browse
from cnnblocks_tui.screens.dialogs import Ask
from cnnblocks_tui.screens.networks import write_table
from cnnblocks_tui.screens.new_run import NewRunScreen

NOBODY = "~nobody-of-that-name/layers.md"


async def test_a_screenshot_that_cannot_be_saved_is_a_message(open_app, wait_for, no_directory):
    async with open_app((120, 36)) as (app, pilot):
        app.action_save_picture()
        await wait_for(pilot, "cannot be saved")


async def test_a_table_for_an_unknown_user_is_not_written(open_app, wait_for):
    async with open_app((120, 36)) as (app, pilot):
        write_table(app.screen, [], "lenet5")
        await wait_for(pilot, lambda: isinstance(app.screen, Ask))
        app.screen.query_one(Input).value = NOBODY
        await pilot.press("enter")
        await wait_for(pilot, "begins with")


async def test_an_unknown_user_in_the_form_is_marked_and_browsing_goes_on(open_app, wait_for):
    async with open_app((120, 60)) as (app, pilot):
        app.show_new_run()
        await wait_for(pilot, lambda: isinstance(app.screen, NewRunScreen))
        field = app.screen.query_one("#field-weights", Input)
        field.focus()
        field.value = NOBODY
        await wait_for(pilot, "expected a file that is there")
        await pilot.press("ctrl+o")
        await wait_for(pilot, lambda: isinstance(app.screen, Browse))
