"""Images and feature maps on the predict screen, as far as it needs no engine."""

from threading import Event

import numpy as np
import pytest
from PIL import Image
from rich.text import Text

from cnnblocks_tui.image_reading import image_files, load_array, load_stages
from cnnblocks_tui.screens.predict import PredictScreen


@pytest.fixture
def folder(tmp_path):
    """A folder with 250 images in two folders below, and something else."""
    folder = tmp_path / "[many]"
    picture = tmp_path / "one.png"
    Image.new("RGB", (8, 8)).save(picture)
    for number in range(250):
        file = folder / f"class-{number % 2}" / f"{number:03d}.PNG"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(picture)
    (folder / "notes.txt").write_text("")
    return folder


async def test_a_folder_is_searched_beside_the_screen(open_app, wait_for, folder):
    async with open_app((100, 30)) as (app, pilot):
        await pilot.press("4")
        await wait_for(pilot, lambda: isinstance(app.screen, PredictScreen))
        screen = app.screen
        screen.add_images(folder)
        assert not screen.images
        await wait_for(pilot, lambda: len(screen.images) == 200)
        screen.add_images(folder)
        await wait_for(pilot, "no new image")


def test_images_are_found_in_order_and_the_search_can_be_given_up(folder):
    found = image_files(folder, Event())
    assert len(found) == 200 and found == sorted(found)
    assert image_files(folder, Event(), most=3) == found[:3]
    assert image_files(found[0], Event()) == found[:1]
    given_up = Event()
    given_up.set()
    assert image_files(folder, given_up) == []


def test_what_the_engine_wrote_is_removed_once_it_is_read(tmp_path):
    paths = [tmp_path / f"{name}.npy" for name in ("image", "a", "b", "alone")]
    for number, path in enumerate(paths):
        np.save(path, np.full((2, 3), number))
    answer = {
        "image": str(paths[0]),
        "stages": [{"name": path.stem, "array": str(path)} for path in paths[1:3]],
    }
    stages = load_stages(answer)
    assert [int(stage["values"][0, 0]) for stage in stages] == [1, 2]
    assert load_array(str(paths[3])).sum() == 18
    assert not any(path.exists() for path in paths)


async def test_feature_maps_are_drawn_beside_the_screen(open_app, wait_for):
    async with open_app((100, 30)) as (app, pilot):
        await pilot.press("4")
        await wait_for(pilot, lambda: isinstance(app.screen, PredictScreen))
        screen = app.screen
        screen.action_maps()
        values = np.random.default_rng(0).normal(size=(8, 8, 6))
        screen._stages = [{"name": "stage1", "values": values}]
        options = screen.query_one("#stage")
        options.add_option(Text("stage1"))
        options.highlighted = 0
        await wait_for(pilot, "6 maps, each on its own scale")
