"""The widget that draws arrays."""

import numpy as np
import pytest
from textual.app import App

from cnnblocks_tui.widgets.pixels import Pixels


class Shown(App[None]):
    ascii_only = False

    def compose(self):
        yield Pixels(id="pixels")


def text_of(pixels):
    return [pixels.render_line(y).text for y in range(pixels.size.height)]


@pytest.mark.parametrize("whole", [False, True])
async def test_the_cursor_moves_over_a_picture_that_is_kept(whole):
    values = np.random.default_rng(0).normal(size=(30, 20) if not whole else (300, 200))
    app = Shown()
    async with app.run_test(size=(40, 20)) as pilot:
        pixels = app.query_one(Pixels)
        pixels.focus()
        pixels.show(values, whole=whole)
        await pilot.pause()
        assert text_of(pixels)[0][0] == "◆"
        kept = pixels._picture
        step = pixels._window().step
        await pilot.press("right", "right", "down", "down")
        lines = text_of(pixels)
        assert pixels._picture is kept
        assert [line.count("◆") for line in lines].count(1) == 1 and lines[1][2] == "◆"
        assert any(line.startswith(f"[{2 * step}, {2 * step}] = ") for line in lines)
        pixels.show(-values, whole=whole)
        text_of(pixels)
        assert pixels._picture is not kept


async def test_reducing_keeps_the_largest_magnitude_and_passes_over_nan():
    values = np.zeros((68, 80))
    values[7, 9], values[6, 8] = -8.0, 7.0
    values[4, 0], values[5, 1] = -7.0, 8.0
    values[8:12, :] = np.nan
    values[10, 1] = 8.0
    app = Shown()
    app.ascii_only = True
    async with app.run_test(size=(40, 18)) as pilot:
        pixels = app.query_one(Pixels)
        pixels.show(values, whole=True)
        await pilot.pause()
        lines = text_of(pixels)
    # Four by four values a letter, two cells wide: " " for the least, "@" for the greatest.
    assert lines[0] == "[]" + "==" * 19
    assert lines[1] == "@@==  " + "==" * 17
    assert lines[2] == "@@" + "  " * 19
    assert lines[3] == "==" * 20


async def test_a_double_click_shows_all_of_it_and_goes_back():
    app = Shown()
    async with app.run_test(size=(40, 18)) as pilot:
        pixels = app.query_one(Pixels)
        pixels.show(np.arange(300.0 * 200).reshape(300, 200))
        await pilot.pause()
        near = text_of(pixels)[-1]
        await pilot.click(Pixels, offset=(39, 5))
        assert "[10, 39]" in text_of(pixels)[-1] != near
        await pilot.double_click(Pixels, offset=(0, 0))
        await pilot.click(Pixels, offset=(16, 0))
        assert "[0, 144]" in text_of(pixels)[-1]
        await pilot.double_click(Pixels, offset=(0, 0))
        await pilot.click(Pixels, offset=(39, 0))
        assert "[0, 39]" in text_of(pixels)[-1]
