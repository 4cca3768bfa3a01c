"""The widget that draws arrays."""

import numpy as np
import pytest
from textual.app import App

from cnnblocks_tui.widgets.pixels import Pixels, _reduced, _Window


class Shown(App[None]):
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


def test_reducing_keeps_the_largest_magnitude_and_passes_over_nan():
    values = np.array([[1.0, -3.0, np.nan, np.nan, 5.0], [2.0, 0.0, np.nan, np.nan, np.nan]])
    reduced = _reduced(values, _Window(0, 0, step=2), 10, 10)
    np.testing.assert_array_equal(reduced, [[-3.0, np.nan, 5.0]])
