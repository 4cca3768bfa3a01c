"""A run, live: from real files, written by a process of its own."""

import json
import time

import numpy as np
import pytest
from textual.widgets import TabbedContent

from cnnblocks_tui.readings import RunFeed
from cnnblocks_tui.screens.diff import DiffScreen
from cnnblocks_tui.screens.run import smoothed
from cnnblocks_tui.screens.weights import WeightsScreen
from cnnblocks_tui.widgets.chart import Chart


def tab(app):
    return app.screen.query_one(TabbedContent).active


async def go_to(pilot, wait_for, name):
    for _ in range(8):
        if tab(pilot.app) == name:
            return
        await pilot.press("right_square_bracket")
    raise AssertionError(f"no tab {name}")


async def test_a_running_run_moves_on_the_screen(open_app, wait_for, new_run, train_aside):
    run = new_run("lenet5")
    train_aside(run)
    async with open_app((120, 36), run.path) as (_, pilot):
        await wait_for(pilot, "▶ running")
        await wait_for(pilot, "images/s")
        await wait_for(pilot, "CPU")
        epoch = run.status.epoch
        await wait_for(pilot, lambda: run.status.epoch > epoch + 1)
        await wait_for(pilot, f"epoch {run.status.epoch + 1}/50")
        await wait_for(pilot, "validation")


async def test_the_view_can_be_held_while_training_goes_on(
    open_app, wait_for, new_run, train_aside
):
    run = new_run()
    train_aside(run)
    async with open_app((120, 36), run.path) as (app, pilot):
        await wait_for(pilot, "▶ running")
        await pilot.press("p")
        await wait_for(pilot, "view held")
        drawn = app.screen._drawn
        epoch = run.status.epoch
        await wait_for(pilot, lambda: run.status.epoch > epoch)
        assert app.screen._drawn == drawn
        await pilot.press("p")
        await wait_for(pilot, lambda: app.screen._drawn != drawn)


async def test_a_held_view_obeys_keys_and_fills_its_tabs(open_app, wait_for, new_run, train):
    run, other = new_run(), new_run()
    train(run)
    train(other)
    async with open_app((120, 36), run.path) as (_, pilot):
        await wait_for(pilot, "[over epoch]")
        await pilot.press("p")
        await wait_for(pilot, "view held")
        await pilot.press("x", "plus")
        await wait_for(pilot, "[over step, smoothing 0.3]")
        await pilot.press("o")
        await wait_for(pilot, other.id)
        await pilot.press("enter")
        await wait_for(pilot, f"{other.id[14:]} train")
        await go_to(pilot, wait_for, "tab-events")
        await wait_for(pilot, "Training started.")
        await go_to(pilot, wait_for, "tab-checkpoints")
        await wait_for(pilot, "epoch-0004")


async def test_a_process_that_died_is_told_with_what_to_do(
    open_app, wait_for, new_run, train_aside
):
    run = new_run()
    process = train_aside(run)
    async with open_app((120, 36), run.path) as (_, pilot):
        await wait_for(pilot, "▶ running")
        process.kill()
        process.wait()
        await wait_for(pilot, "! interrupted")
        await wait_for(pilot, "Press r to go on from the last checkpoint")


async def test_a_resumed_run_shows_that_it_went_on(open_app, wait_for, new_run, train):
    run = new_run()
    train(run, epochs=2)
    async with open_app((120, 36), run.path) as (app, pilot):
        await wait_for(pilot, "✓ finished")
        train(run, epochs=4)
        await wait_for(pilot, lambda: run.status.epoch == 4)
        await wait_for(pilot, "epoch 4/4")
        curve = app.screen.feed.curves[("loss", "epoch")]
        await wait_for(pilot, lambda: list(curve.epochs) == [1, 2, 3, 4])


async def test_a_live_run_that_went_on_says_so(open_app, wait_for, new_run, train, train_aside):
    run = new_run()
    train(run, epochs=2)
    event = {"schema": 1, "time": time.time(), "event": "resume", "epoch": 2}
    with (run.path / "events.jsonl").open("a") as log:
        log.write(json.dumps(event) + "\n")
    train_aside(run)
    async with open_app((120, 36), run.path) as (_, pilot):
        await wait_for(pilot, "▶ running")
        await wait_for(pilot, "resumed after epoch 2")


async def test_the_cursor_reads_the_values_of_an_epoch(open_app, wait_for, new_run, train):
    run = new_run()
    train(run)
    async with open_app((120, 36), run.path) as (app, pilot):
        await wait_for(pilot, "validation")
        chart = app.screen.query_one("#loss", Chart)
        await pilot.press("left", "left", "left")
        assert chart.cursor == 2.0
        value = app.screen.feed.curves[("loss", "epoch")].values[1]
        await wait_for(pilot, f"train {value:.4f}")


async def test_smoothing_axes_and_scale_change_the_picture(open_app, wait_for, new_run, train):
    run = new_run()
    train(run)
    async with open_app((120, 36), run.path) as (_, pilot):
        await wait_for(pilot, "[over epoch]")
        await pilot.press("x")
        await wait_for(pilot, "[over step]")
        await pilot.press("left")
        await wait_for(pilot, "loss at 80 ")
        await pilot.press("x", "plus", "y")
        await wait_for(pilot, "[over time, smoothing 0.3, log loss]")


async def test_events_and_console_are_shown_in_words(open_app, wait_for, new_run, train):
    run = new_run()
    train(run)
    run.console.write_text("first line\nEpoch 1\rEpoch 1 done\n")
    async with open_app((120, 36), run.path) as (_, pilot):
        await wait_for(pilot, "finished")
        await go_to(pilot, wait_for, "tab-events")
        await wait_for(pilot, "The loss has not fallen for a while.")
        await wait_for(pilot, "Checkpoint epoch-0001 written.")
        await go_to(pilot, wait_for, "tab-console")
        await wait_for(pilot, "first line")
        await wait_for(pilot, "Epoch 1 done")


async def test_checkpoints_open_their_weights_and_compare(open_app, wait_for, new_run, train):
    run = new_run()
    train(run)
    async with open_app((120, 36), run.path) as (app, pilot):
        await wait_for(pilot, "finished")
        await go_to(pilot, wait_for, "tab-checkpoints")
        await wait_for(pilot, "epoch-0004")
        table = app.screen.query_one("#checkpoints")
        table.focus()
        await pilot.press("j", "d", "enter")
        await wait_for(pilot, lambda: isinstance(app.screen, DiffScreen))
        await wait_for(pilot, "2 changed")
        await wait_for(pilot, "epoch-0001.weights.h5")
        await pilot.press("escape")
        await pilot.press("w")
        await wait_for(pilot, lambda: isinstance(app.screen, WeightsScreen))
        await wait_for(pilot, "file 2 of 4")


async def test_the_cursor_stays_on_its_checkpoint_when_another_is_written(
    open_app, wait_for, new_run, train
):
    run = new_run()
    train(run, epochs=1)
    async with open_app((120, 36), run.path) as (app, pilot):
        await wait_for(pilot, "finished")
        await go_to(pilot, wait_for, "tab-checkpoints")
        await wait_for(pilot, "last")
        app.screen.query_one("#checkpoints").focus()
        await pilot.press("G")
        train(run, epochs=2)
        await wait_for(pilot, "epoch-0002")
        await pilot.press("w")
        await wait_for(pilot, lambda: isinstance(app.screen, WeightsScreen))
        await wait_for(pilot, "last.weights.h5")


async def test_an_evaluation_shows_classes_and_confusion(open_app, wait_for, new_run, train):
    run = new_run()
    train(run)
    evaluation = {
        "schema": 1,
        "metrics": {"accuracy": 0.875},
        "weights": "best",
        "epoch": 3,
        "data": "pets",
        "split": "test",
        "classes": ["cat", "dog"],
        "per_class": [
            {"name": "cat", "precision": 0.75, "recall": 1.0, "images": 3},
            {"name": "dog", "precision": 1.0, "recall": 0.8, "images": 5},
        ],
        "confusion": [[3, 0], [1, 4]],
    }
    (run.path / "evaluation" / "pets-best.json").write_text(json.dumps(evaluation))
    async with open_app((120, 36), run.path) as (app, pilot):
        await wait_for(pilot, "finished")
        await go_to(pilot, wait_for, "tab-results")
        await wait_for(pilot, "dog")
        await wait_for(pilot, "accuracy 0.8750 · best weights, epoch 3, on pets test")
        await wait_for(pilot, "3 images of cat taken for cat")
        app.screen.query_one("#confusion").focus()
        await pilot.press("down")
        await wait_for(pilot, "1 images of dog taken for cat")


async def test_the_configuration_shows_what_differs(open_app, wait_for, new_run, train):
    one, other = new_run(seed=1), new_run(seed=2)
    train(one)
    train(other)
    async with open_app((120, 36), one.path) as (_, pilot):
        await wait_for(pilot, "finished")
        await pilot.press("o")
        await wait_for(pilot, other.id)
        await pilot.press("enter")
        await go_to(pilot, wait_for, "tab-config")
        await wait_for(pilot, "≠ seed")
        await wait_for(pilot, "1  |  2")


async def test_a_run_deleted_under_the_screen_is_a_message(open_app, wait_for, new_run, train):
    run = new_run()
    train(run)
    async with open_app((120, 36), run.path) as (_, pilot):
        await wait_for(pilot, "finished")
        run.delete()
        await wait_for(pilot, "? unreadable")


@pytest.mark.parametrize("damage", ["newer", "gone", "wrong"])
async def test_a_damaged_configuration_is_a_message(open_app, wait_for, new_run, train, damage):
    run = new_run(seed=7)
    train(run)
    async with open_app((120, 36), run.path) as (app, pilot):
        await wait_for(pilot, "finished")
        await go_to(pilot, wait_for, "tab-config")
        await wait_for(pilot, "seed")
        config = run.path / "config.json"
        if damage == "newer":
            config.write_text(json.dumps(run.config | {"schema": 99}))
        elif damage == "gone":
            config.unlink()
        else:
            status = json.loads((run.path / "status.json").read_text())
            (run.path / "status.json").write_text(json.dumps(status | {"epochs": "four"}))
            await wait_for(pilot, "cannot be shown")
            return
        await wait_for(pilot, "? unreadable")
        app.screen._told.clear()
        await pilot.pause(1)
        await wait_for(pilot, "seed")


def test_the_gpus_use_stays_until_the_next_look_at_it(new_run):
    run = new_run()
    event = {"schema": 1, "time": 0, "event": "progress", "epoch": 1, "steps": 9, "metrics": {}}
    events = [event | {"step": 1, "gpu": [{"use": 0.5, "memory": 0.25}]}, event | {"step": 2}]
    lines = [json.dumps(each) + "\n" for each in events]
    (run.path / "events.jsonl").write_text("".join(lines))
    feed = RunFeed(run.path)
    feed.poll()
    assert feed.latest["step"] == 2
    assert feed.latest["gpu"] == [{"use": 0.5, "memory": 0.25}]


async def test_resizing_to_nothing_and_back_is_survived(open_app, wait_for, new_run, train):
    run = new_run()
    train(run)
    async with open_app((120, 36), run.path) as (_, pilot):
        await wait_for(pilot, "finished")
        for size in ((59, 20), (60, 19), (10, 3), (1, 1)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await pilot.resize_terminal(50, 18)
        await wait_for(pilot, "This window is 50x18.")
        await pilot.resize_terminal(80, 24)
        await wait_for(pilot, "✓ finished")


@pytest.mark.parametrize("weight", [0.3, 0.98])
def test_smoothing_is_an_average_without_a_bias_at_its_start(weight):
    values = np.random.default_rng(0).normal(5, 1, 2000)
    values[[0, 700]] = np.nan
    expected, total, norm = [], 0.0, 0.0
    for value in values:
        if not np.isnan(value):
            total, norm = weight * total + (1 - weight) * value, weight * norm + 1 - weight
        expected.append(total / norm if norm else np.nan)
    np.testing.assert_allclose(smoothed(values, weight), expected)


async def test_a_long_log_is_read_in_pieces_and_keys_are_taken_meanwhile(
    open_app, wait_for, new_run, train
):
    run = new_run()
    train(run, epochs=2)
    event = {"schema": 1, "time": 0, "event": "progress", "epoch": 3, "steps": 30_000}
    lines = [json.dumps(event | {"step": n, "metrics": {"loss": 1.0}}) for n in range(30_000)]
    with (run.path / "events.jsonl").open("a") as log:
        log.write("\n".join(lines) + "\n")
    async with open_app((120, 36), run.path) as (app, pilot):
        await wait_for(pilot, "[over epoch]")
        await pilot.press("x", "plus")
        await wait_for(pilot, "[over step, smoothing 0.3]")
        await wait_for(pilot, lambda: app.screen.feed.latest.get("step") == 29_999)
