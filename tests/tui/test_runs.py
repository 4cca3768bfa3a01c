"""The list of runs, over real run directories."""

import asyncio
import json
import time

from cnnblocks.runs import RunDirectory
from cnnblocks.runs.lock import RunLock
from cnnblocks_tui.screens.dialogs import Ask, Confirm
from cnnblocks_tui.screens.run import RunScreen
from cnnblocks_tui.widgets.lists import Table


async def test_an_empty_directory_says_what_to_do(open_app, wait_for, runs_dir):
    async with open_app() as (_, pilot):
        await wait_for(pilot, "No runs yet in")
        await wait_for(pilot, "Press n to train a network.")


async def test_a_finished_run_shows_its_state_epochs_and_best(open_app, wait_for, new_run, train):
    run = new_run(epochs=4)
    train(run)
    async with open_app() as (_, pilot):
        await wait_for(pilot, "✓ finished")
        await wait_for(pilot, "4/4")
        await wait_for(pilot, run.id)
        await wait_for(pilot, f"{run.status.best['value']:.4f}")


async def test_a_run_that_starts_later_appears_by_itself(open_app, wait_for, new_run, train):
    async with open_app() as (app, pilot):
        await wait_for(pilot, "No runs yet")
        run = new_run("resnet18")
        await wait_for(pilot, "◌ queued")
        await wait_for(pilot, lambda: isinstance(app.focused, Table))
        train(run)
        await wait_for(pilot, "✓ finished")


async def test_the_list_has_the_focus_from_the_start(open_app, wait_for, new_run):
    new_run("lenet5")
    new_run("vgg16")
    for _ in range(4):  # whether the list was hidden before the runs were read was up to chance
        async with open_app() as (app, pilot):
            await wait_for(pilot, "vgg16")
            await pilot.pause(0.1)
            assert isinstance(app.focused, Table)


async def test_the_filter_narrows_and_leaves_out(open_app, wait_for, new_run, press_text, lines_of):
    new_run("lenet5")
    new_run("vgg16")
    async with open_app() as (app, pilot):
        await wait_for(pilot, "vgg16")
        await pilot.press("slash")
        await press_text(pilot, "!vgg")
        await wait_for(pilot, lambda: not any("◌ queued     vgg16" in x for x in lines_of(app)))
        assert any("lenet5" in line for line in lines_of(app))
        await pilot.press("escape")
        await wait_for(pilot, "vgg16")


async def test_escape_clears_a_filter_that_was_left(open_app, wait_for, new_run, press_text):
    new_run("lenet5")
    async with open_app() as (app, pilot):
        await wait_for(pilot, "lenet5")
        await pilot.press("slash")
        assert app.focused.cursor_blink is False
        await press_text(pilot, "vgg")
        await pilot.press("enter")
        await wait_for(pilot, "Press escape to clear it.")
        await pilot.press("escape")
        await wait_for(pilot, "lenet5")


async def test_columns_sort_by_key_and_by_mouse(open_app, wait_for, new_run, lines_of):
    for network in ("lenet5", "alexnet", "vgg16"):
        new_run(network)

    def order(app):
        text = "\n".join(lines_of(app)[2:8])
        return sorted(("lenet5", "alexnet", "vgg16"), key=text.index)

    async with open_app() as (app, pilot):
        await wait_for(pilot, "alexnet")
        heading = lines_of(app)[1].index("network")
        await pilot.click("#runs-list", offset=(heading, 0))
        await wait_for(pilot, "network▼")
        assert order(app) == ["vgg16", "lenet5", "alexnet"]
        await pilot.press("T")
        await wait_for(pilot, "network▲")
        assert order(app) == ["alexnet", "lenet5", "vgg16"]


async def test_marked_runs_are_drawn_together(open_app, wait_for, new_run, train):
    for network in ("lenet5", "vgg16"):
        train(new_run(network))
    async with open_app((140, 40)) as (app, pilot):
        await wait_for(pilot, "vgg16")
        await pilot.press("space", "space", "o")
        await wait_for(pilot, lambda: isinstance(app.screen, RunScreen))
        await wait_for(pilot, "lenet5")
        await wait_for(pilot, "vgg16")
        assert len(app.screen.feeds) == 2


async def test_enter_opens_the_run_and_escape_comes_back(open_app, wait_for, new_run, train):
    train(new_run())
    async with open_app() as (app, pilot):
        await wait_for(pilot, "finished")
        await pilot.press("enter")
        await wait_for(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("escape")
        await wait_for(pilot, lambda: app.screen.NAME == "runs")


async def test_a_running_run_stops_when_asked(open_app, wait_for, new_run, train_aside):
    run = new_run()
    process = train_aside(run, epochs=100)
    async with open_app() as (_, pilot):
        await wait_for(pilot, "▶ running")
        await pilot.press("S")
        await wait_for(pilot, "■ stopped")
    assert process.wait(20) == 0
    assert run.status.reason == "stopped on request"


async def test_stopping_what_does_not_run_says_so(open_app, wait_for, new_run, train):
    train(new_run())
    async with open_app() as (_, pilot):
        await wait_for(pilot, "finished")
        await pilot.press("s")
        await wait_for(pilot, "is not running")


async def test_a_killed_process_is_seen(open_app, wait_for, new_run, train_aside):
    process = train_aside(new_run())
    async with open_app() as (_, pilot):
        await wait_for(pilot, "▶ running")
        process.kill()
        process.wait()
        await wait_for(pilot, "! interrupted")


async def test_deleting_asks_first(open_app, wait_for, new_run, train):
    run = new_run()
    train(run)
    async with open_app() as (app, pilot):
        await wait_for(pilot, "finished")
        await pilot.press("d")
        await wait_for(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        await wait_for(pilot, lambda: app.screen.NAME == "runs")
        assert run.path.is_dir()
        await pilot.press("d")
        await wait_for(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await wait_for(pilot, "No runs yet")
        assert not run.path.exists()


async def test_a_note_is_written_and_shown(open_app, wait_for, new_run, train, press_text):
    run = new_run()
    train(run)
    async with open_app() as (app, pilot):
        await wait_for(pilot, "finished")
        await pilot.press("e")
        await wait_for(pilot, lambda: isinstance(app.screen, Ask))
        await press_text(pilot, "good one")
        await pilot.press("enter")
        await wait_for(pilot, "note: good one")
    assert RunDirectory(run.path).note == "good one"


async def test_damaged_and_newer_runs_are_listed_with_the_reason(open_app, wait_for, new_run):
    broken, newer = new_run("lenet5"), new_run("vgg16")
    (broken.path / "status.json").write_text('{"schema": 1, "sta')
    content = json.loads((newer.path / "status.json").read_text())
    (newer.path / "status.json").write_text(json.dumps(content | {"schema": 99}))
    async with open_app((140, 40)) as (_, pilot):
        await wait_for(pilot, "? unreadable")
        await wait_for(pilot, "status.json is damaged")
        await pilot.press("j")
        await wait_for(pilot, "A newer cnnblocks wrote it")


async def test_values_of_a_wrong_kind_leave_the_program_open(open_app, wait_for, new_run, train):
    run = new_run("lenet5")
    train(run)
    content = json.loads((run.path / "status.json").read_text())
    async with open_app((140, 40)) as (_, pilot):
        await wait_for(pilot, "finished")
        wrong = content | {"state": "running", "epochs": "four"}
        (run.path / "status.json").write_text(json.dumps(wrong))
        await pilot.pause(1)
        (run.path / "status.json").write_text(json.dumps(content | {"reason": "as it was"}))
        await wait_for(pilot, "as it was")


async def test_keys_are_taken_while_a_run_waits_for_its_lock(open_app, wait_for, new_run, train):
    run = new_run("lenet5")
    train(run)
    lock = RunLock(run.path / "lock")
    lock.acquire()
    async with open_app() as (app, pilot):
        await wait_for(pilot, "finished")
        await pilot.press("d")
        await wait_for(pilot, lambda: isinstance(app.screen, Confirm))
        started = time.monotonic()
        app.screen.action_yes()
        await asyncio.sleep(0.05)
        assert time.monotonic() - started < 0.7
        await wait_for(pilot, "is being trained")
    lock.release()
    assert run.path.is_dir()


async def test_the_view_is_remembered(open_app, wait_for, new_run):
    new_run("lenet5")
    new_run("vgg16")
    async with open_app() as (app, pilot):
        await wait_for(pilot, "vgg16")
        await pilot.press("t", "ctrl+t")
        theme, sort = app.theme, app.screen.view["sort"]
    async with open_app() as (app, pilot):
        await wait_for(pilot, "vgg16")
        assert (app.theme, app.screen.view["sort"]) == (theme, sort)


async def test_many_runs_with_long_logs_are_listed_at_once(open_app, wait_for, new_run):
    event = json.dumps({"schema": 1, "time": 0, "event": "progress", "epoch": 1}) + "\n"
    for _ in range(10):
        (new_run().path / "events.jsonl").write_text(event * 20_000)
    async with open_app() as (app, pilot):
        started = time.monotonic()
        await wait_for(pilot, lambda: len(app.screen._shown) == 10)
        assert time.monotonic() - started < 30
