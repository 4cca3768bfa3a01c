"""What people and other programs wrote is shown as it stands, brackets and all."""

from cnnblocks_tui.screens.dialogs import Ask, Choose, ChooseSeveral, Confirm

NOTE = "images from [/mnt/data] [baseline] lr"


async def test_a_note_with_brackets_is_shown_and_asked_for(open_app, wait_for, new_run):
    run = new_run()
    run.note = NOTE
    async with open_app((200, 40)) as (app, pilot):
        await wait_for(pilot, "images from [/mnt/data] ")
        run.note = "[baseline] lr [/mnt]"
        await wait_for(pilot, "  [baseline] lr [/mnt]")
        await pilot.press("e")
        await wait_for(pilot, lambda: isinstance(app.screen, Ask))


async def test_dialogs_and_messages_keep_brackets(open_app, wait_for):
    async with open_app((120, 36)) as (app, pilot):
        for dialog, text in (
            (Confirm(f"Delete {NOTE}?"), f"Delete {NOTE}"),
            (Ask("Say", hint=f"hint {NOTE}"), f"hint {NOTE}"),
            (Choose("Which?", [("a", f"one {NOTE}")]), f"one {NOTE}"),
            (ChooseSeveral("Which?", [("a", f"one {NOTE}")]), f"one {NOTE}"),
        ):
            app.push_screen(dialog)
            await wait_for(pilot, text)
            await pilot.press("escape")
        app.notify("lost [/mnt]")
        await wait_for(pilot, "lost [/mnt]")
