"""The form of a new run, with the real engine: what it shows is what is trained."""

import asyncio

import pytest
from textual.widgets import Input

from cnnblocks.runs import RunDirectory, list_runs
from cnnblocks_tui.screens.new_run import NewRunScreen
from cnnblocks_tui.screens.run import RunScreen

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("engine_cache")]
LONG = 180.0


def repeatable():
    recipe = {"name": "default", "epochs": 2, "batch_size": 32, "learning_rate": 0.00123456789}
    recipe |= {"optimizer": "adamw", "warmup": 0.2, "augmentation": {"shift": 0}}
    return {
        "network": "lenet5",
        "epochs": 2,
        "data": {"name": "digits", "source": "digits", "limit": 500},
        "recipe": recipe,
        "tune": "off",
        "csv": True,
    }


async def form_of(app, pilot, wait_for):
    await wait_for(pilot, lambda: isinstance(app.screen, NewRunScreen))
    await wait_for(pilot, "ctrl+s starts it", LONG)
    return app.screen


def text(form, name):
    return form.query_one(f"#field-{name}", Input).value


async def test_a_repeated_run_keeps_every_value(open_app, wait_for, runs_dir):
    first = RunDirectory.create(repeatable(), runs_dir)
    async with open_app((120, 60)) as (app, pilot):
        await wait_for(pilot, first.id)
        await pilot.press("D")
        form = await form_of(app, pilot, wait_for)
        # lenet5's own recipe has 0.01; 0.001 and 0.2 are what the form starts from.
        assert text(form, "learning_rate") == "0.00123456789"
        assert text(form, "epochs") == "2"
        assert "--train-images 500" in form.command
        assert "--tune off" in form.command and "--csv" in form.command
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: isinstance(app.screen, RunScreen), LONG)
        config = RunDirectory(app.screen.path).config
        assert config["recipe"]["learning_rate"] == 0.00123456789
        assert config["recipe"]["augmentation"] == {"shift": 0}
        assert config["data"]["limit"] == 500
        assert (config["tune"], config["csv"]) == ("off", True)
        await wait_for(pilot, "✓ finished", LONG)


async def test_given_values_stand_where_the_form_starts_from_the_same(open_app, wait_for):
    async with open_app((120, 60)) as (app, pilot):
        app.show_new_run(network="lenet5", data="digits", learning_rate=1e-3)
        form = await form_of(app, pilot, wait_for)
        assert text(form, "learning_rate") == "0.001"
        assert "--learning-rate 0.001" in form.command

        form.query_one("#field-seed", Input).value = "5"
        await pilot.pause()
        await pilot.press("escape")
        await wait_for(pilot, "What you changed is lost.")
        await pilot.press("enter")
        await wait_for(pilot, lambda: app.screen is form)
        assert text(form, "seed") == "5"
        await pilot.press("escape")
        await wait_for(pilot, "What you changed is lost.")
        await pilot.press("y")
        await wait_for(pilot, lambda: app.screen.NAME == "runs")


async def test_a_form_left_while_the_run_is_made_leaves_none_behind(open_app, wait_for, runs_dir):
    async with open_app((120, 36)) as (app, pilot):
        app.show_new_run(network="lenet5", data="digits", epochs=1)
        form = await form_of(app, pilot, wait_for)
        form.action_start()
        while not form._starting:
            await asyncio.sleep(0)
        app.pop_screen()
        await wait_for(pilot, lambda: app.screen.NAME == "runs")
        await wait_for(pilot, "was started", LONG)
        assert app.screen.NAME == "runs"
        await wait_for(pilot, "✓ finished", LONG)
    assert len(list_runs(runs_dir)) == 1
