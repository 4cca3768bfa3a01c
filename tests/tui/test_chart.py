"""The widget that draws curves."""

import numpy as np
import pytest
from textual.app import App

from cnnblocks_tui.widgets.chart import Chart, Series


class Shown(App[None]):
    ascii_only = False

    def compose(self):
        yield Chart("loss", id="chart")


def text_of(chart):
    return [chart.render_line(y).text for y in range(chart.size.height)]


async def test_eight_runs_with_two_curves_each_have_marks_of_their_own_in_ascii():
    app = Shown()
    app.ascii_only = True
    x = np.arange(10.0)
    curves = [
        Series(f"{kind}{run}", x, x + run, run, dashed=kind == "v")
        for run in range(8)
        for kind in "tv"
    ]
    async with app.run_test(size=(200, 20)) as pilot:
        chart = app.query_one(Chart)
        chart.draw(curves)
        await pilot.pause()
        legend = " ".join(text_of(chart)[:3])
        words = legend.split()
        marks = [words[words.index(curve.name) - 1] for curve in curves]
    assert len(set(marks)) == 16


@pytest.mark.parametrize("missing", [[], [3], [0, 9], list(range(10))])
async def test_the_cursor_goes_through_the_points_that_have_a_value(missing):
    app = Shown()
    x = np.arange(10.0)
    y = 2 * x
    y[missing] = np.nan
    async with app.run_test(size=(60, 12)) as pilot:
        chart = app.query_one(Chart)
        chart.focus()
        chart.draw([Series("train", x, y)])
        await pilot.pause()
        seen = []
        for _ in range(10):
            await pilot.press("right")
            seen.append(chart.cursor)
            text_of(chart)
    known = [place for place in x if place not in missing]
    assert list(dict.fromkeys(seen)) == (known or [None])


async def test_other_curves_and_another_size_are_drawn_anew():
    app = Shown()
    x = np.arange(10.0)
    async with app.run_test(size=(60, 12)) as pilot:
        chart = app.query_one(Chart)
        chart.draw([Series("train", x, x)])
        await pilot.pause()
        rising = text_of(chart)
        chart.draw([Series("train", x, -x)])
        falling = text_of(chart)
        assert falling != rising
        await pilot.resize_terminal(80, 12)
        await pilot.pause()
        assert max(map(len, text_of(chart))) == chart.size.width > 60
        chart.draw([Series("train", x, x)])
        await pilot.resize_terminal(60, 12)
        await pilot.pause()
        assert text_of(chart) == rising
