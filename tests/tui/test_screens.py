"""Every screen as text, at three sizes, without colour and in ASCII.

The committed texts are under tests/golden/tui. After a change that is meant, look at the new ones:
CNNBLOCKS_UPDATE_SCREENS=1 pytest tests/tui/test_screens.py, then git diff.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnblocks.runs import read_json, write_json

GOLDEN = Path(__file__).parents[1] / "golden" / "tui"
LOOKS = {
    "80x24": {"size": (80, 24)},
    "120x36": {"size": (120, 36)},
    "200x50": {"size": (200, 50)},
    "no-color": {"size": (80, 24)},
    "ascii": {"size": (80, 24), "ascii": True},
}
MOMENT = 1_800_000_000.0
LONG = 180.0


@pytest.fixture
def runs_dir():
    # Short, so that a command that names it takes as many lines wherever the tests run.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "runs"


@pytest.fixture
def still_run(new_run, train):
    """A finished run whose times and name never change."""
    run = new_run("lenet5", seed=1)
    train(run)
    path = run.path.with_name("20270115-0800-lenet5-ab12")
    shutil.move(run.path, path)
    status = read_json(path / "status.json")
    still = {"started": MOMENT, "ended": MOMENT + 62, "heartbeat": MOMENT + 62, "host": "here"}
    write_json(path / "status.json", status | still)
    config = read_json(path / "config.json")
    write_json(path / "config.json", config | {"created": MOMENT, "id": path.name})
    return path


async def show_runs(app, pilot, wait_for):
    await wait_for(pilot, "finished")


async def show_run(app, pilot, wait_for):
    app.show_run(app.runs.runs_dir / "20270115-0800-lenet5-ab12")
    await wait_for(pilot, "validation")


async def show_weights(app, pilot, wait_for):
    run = app.runs.runs_dir / "20270115-0800-lenet5-ab12"
    app.show_weights(run / "checkpoints" / "epoch-0002.weights.h5")
    await wait_for(pilot, "share of values")


async def show_kernels(app, pilot, wait_for):
    await show_weights(app, pilot, wait_for)
    await pilot.press("right_square_bracket", "right_square_bracket")
    await wait_for(pilot, "8 kernels")


async def show_diff(app, pilot, wait_for):
    checkpoints = app.runs.runs_dir / "20270115-0800-lenet5-ab12" / "checkpoints"
    app.show_diff(checkpoints / "epoch-0001.weights.h5", checkpoints / "epoch-0002.weights.h5")
    await wait_for(pilot, "2 changed")
    await wait_for(pilot, lambda: len(app.screen.query_one("#histograms")._series) == 2)


async def show_help(app, pilot, wait_for):
    await show_runs(app, pilot, wait_for)
    await pilot.press("question_mark")
    await wait_for(pilot, "processes of their own")


async def show_predict(app, pilot, wait_for):
    image = app.runs.runs_dir / "gradient.png"
    Image.fromarray(np.arange(0, 256, 4, np.uint8).reshape(8, 8)).save(image)
    await pilot.press("4")
    await wait_for(pilot, "No model yet.")
    app.screen.add_images(image)
    await wait_for(pilot, "[0, 0] = 0, 0, 0")


async def show_networks(app, pilot, wait_for):
    await pilot.press("1")
    await wait_for(pilot, "46,764,746 parameters", LONG)
    await wait_for(pilot, "stage2_pool")


async def show_new_run(app, pilot, wait_for):
    app.show_new_run(network="lenet5", data="digits")
    await wait_for(pilot, "ctrl+s starts it", LONG)
    await wait_for(pilot, "steps an epoch")


SCENES = {
    name.removeprefix("show_"): scene
    for name, scene in list(globals().items())
    if name.startswith("show_")
}
NEED_KERAS = ("networks", "new_run")
SCENE_PARAMETERS = [
    pytest.param(name, marks=pytest.mark.slow if name in NEED_KERAS else ()) for name in SCENES
]


def settled(lines, root):
    text = "\n".join(lines) + "\n"
    return re.sub(re.escape(str(root)) + r"\S*", "ROOT", text)


@pytest.mark.parametrize("scene", SCENE_PARAMETERS)
@pytest.mark.parametrize("look", LOOKS)
async def test_a_screen_looks_as_it_did(
    look, scene, still_run, runs_dir, open_app, wait_for, lines_of, monkeypatch, engine_cache
):
    monkeypatch.chdir(runs_dir.parent)
    if look == "no-color":
        monkeypatch.setenv("NO_COLOR", "1")
    async with open_app(**LOOKS[look]) as (app, pilot):
        await SCENES[scene](app, pilot, wait_for)
        await pilot.pause(0.6)
        await pilot.pause()
        shown = settled(lines_of(app), runs_dir.parent)
        if look == "ascii":
            assert shown.isascii()
    golden = GOLDEN / f"{scene}-{look}.txt"
    if os.environ.get("CNNBLOCKS_UPDATE_SCREENS"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(shown)
    assert shown == golden.read_text()


async def test_without_colour_nothing_has_a_hue(still_run, open_app, wait_for, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_app((120, 36)) as (app, pilot):
        await show_run(app, pilot, wait_for)
        colors = set(re.findall(r"fill: #([0-9a-f]{6})", app.export_screenshot()))
        window = {"ff5f57", "febc2e", "28c840", "c5c8c6"}
        hues = {c for c in colors - window if len({c[:2], c[2:4], c[4:]}) > 1}
        assert not hues
