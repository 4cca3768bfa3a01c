"""The engine for real: tables of networks, and a training from the form to a prediction."""

import asyncio
import os
import signal

import numpy as np
import pytest
from PIL import Image
from textual.widgets import Input, TabbedContent

from cnnblocks.runs import RunDirectory
from cnnblocks_tui.engine_client import EngineClient, EngineError
from cnnblocks_tui.screens.new_run import NewRunScreen
from cnnblocks_tui.screens.predict import PredictScreen
from cnnblocks_tui.screens.run import RunScreen
from cnnblocks_tui.widgets.layers import LayerTable

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("engine_cache")]
LONG = 180.0


async def test_the_engine_answers_refuses_and_is_started_again():
    engine = EngineClient()
    assert not engine.running
    facts = await engine.ask("networks.list")
    assert "lenet5" in {entry["name"] for entry in facts}
    with pytest.raises(EngineError, match="no method 'nonsense'"):
        await engine.ask("nonsense")
    first = engine.pid
    waiting = asyncio.create_task(engine.ask("networks.summary", network="vgg19", batch_size=3))
    await asyncio.sleep(0.1)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(EngineError, match="ended unexpectedly"):
        await waiting
    assert await engine.ask("networks.list") == facts
    assert engine.pid != first
    pid = engine.pid
    await engine.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_networks_show_tables_pictures_and_stories(open_app, wait_for, press_text):
    async with open_app((120, 36)) as (app, pilot):
        await pilot.press("1")
        await wait_for(pilot, lambda: bool(app.screen.facts), LONG)
        await pilot.press("slash")
        await press_text(pilot, "resnet18")
        await pilot.press("enter")
        await wait_for(pilot, "11,183,562 parameters", LONG)
        await pilot.press("i")
        shape = app.screen.query_one("#input-shape", Input)
        shape.value = "28x28x1"
        await wait_for(pilot, "11,182,410 parameters", LONG)
        shape.value = "28x28"
        await wait_for(pilot, "height x width x channels")
        shape.value = "28x28x1"
        table = app.screen.query_one("#layers", LayerTable)
        table.focus()
        rows = table.row_count
        await wait_for(pilot, "stage1_block1")
        await pilot.press("z")
        await wait_for(pilot, lambda: table.row_count > 2 * rows)
        await pilot.press("right_square_bracket")
        await wait_for(pilot, "──╮ skip")
        await pilot.press("right_square_bracket")
        await wait_for(pilot, "Deep Residual Learning")


async def test_a_run_from_the_form_to_the_prediction(open_app, wait_for, press_text, tmp_path):
    image = tmp_path / "digit.png"
    Image.fromarray(np.full((8, 8), 128, np.uint8)).save(image)
    async with open_app((120, 36)) as (app, pilot):
        await pilot.press("n")
        await wait_for(pilot, lambda: isinstance(app.screen, NewRunScreen))
        form = app.screen
        await wait_for(pilot, "10 classes, 1,295 images", LONG)
        await wait_for(pilot, "cnnblocks train lenet5 --data digits", LONG)
        form.query_one("#field-epochs", Input).value = "0"
        await wait_for(pilot, "✗ expected a whole number")
        form.query_one("#field-epochs", Input).value = "2"
        form.query_one("#field-checkpoint_every", Input).value = "1"
        await wait_for(pilot, "--epochs 2", LONG)
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: isinstance(app.screen, RunScreen), LONG)
        run = RunDirectory(app.screen.path)
        await wait_for(pilot, "✓ finished", LONG)
        assert run.status.epoch == 2 and len(run.history) == 2
        assert {c.name for c in run.checkpoints} >= {"epoch-0001", "epoch-0002"}

        await pilot.press("m")
        await wait_for(pilot, "stage1_conv", LONG)
        await pilot.press("escape")
        app.show_weights(run.path / "model.keras")
        await wait_for(pilot, "model.keras  10 tensors")
        await pilot.press("m")
        await wait_for(pilot, "model.keras  61,706 parameters", LONG)
        await pilot.press("escape", "2")
        app.show_run(run.path)

        await pilot.press("v")
        await wait_for(pilot, "images of 0 taken for 0", LONG)

        await pilot.press("i")
        await wait_for(pilot, lambda: isinstance(app.screen, PredictScreen))
        app.screen.add_images(image)
        await wait_for(pilot, lambda: image in app.screen.verdicts, LONG)
        await wait_for(pilot, " %")
        await pilot.press("m")
        assert app.screen.query_one(TabbedContent).active == "tab-maps"
        await wait_for(pilot, "maps, each on its own scale", LONG)
