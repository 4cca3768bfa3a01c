import json
import sys
from dataclasses import replace

from cnnblocks.runs import RunLister, TrainingSession, record_epoch


def test_a_row_tells_what_the_run_is_doing(run, runs_dir):
    with TrainingSession(run.path) as session:
        record_epoch(run.path / "history.csv", {"epoch": 1, "accuracy": 0.5, "val_accuracy": 0.6})
        best = {"epoch": 1, "metric": "val_accuracy", "value": 0.6}
        session.save(
            epoch=1, epoch_seconds=10.0, steps=4, step=2, best=best, images_per_second=99.0
        )
        (row,) = RunLister(runs_dir).poll()
    assert (row.id, row.state, row.network, row.data) == (run.id, "running", "lenet5", "digits")
    assert (row.epoch, row.epochs, row.progress, row.seconds_left) == (1, 3, 0.5, 15.0)
    assert (row.best, row.images_per_second, row.accuracies) == (best, 99.0, [0.6])
    json.dumps(row.to_json())


def test_what_changes_shows_at_the_next_look(run, new_run, runs_dir):
    lister = RunLister(runs_dir)
    assert [row.state for row in lister.poll()] == ["queued"]
    replace(run.status, state="finished", epoch=3).write(run.path / "status.json")
    run.note = "good"
    other = new_run()
    rows = lister.poll()
    assert [row.id for row in rows] == [run.id, other.id]
    assert (rows[0].state, rows[0].note) == ("finished", "good")
    run.delete()
    assert [row.id for row in lister.poll()] == [other.id]


def test_a_dead_process_shows_without_any_file_having_changed(run, runs_dir):
    replace(run.status.queued(), state="running", pid=2**22 + 1).write(run.path / "status.json")
    (row,) = RunLister(runs_dir).poll()
    assert (row.state, row.reason) == ("interrupted", "the process that trained it is gone")
    assert row.seconds_left is None


def test_runs_that_cannot_be_read_say_why_and_hide_no_others(new_run, runs_dir):
    good, newer, broken, empty, odd = (new_run(network=f"n{number}") for number in range(5))
    (odd.path / "status.json").write_text('{"schema": 1, "epoch": 1, "epochs": "many"}')
    (newer.path / "config.json").write_text('{"schema": 9}')
    (broken.path / "status.json").write_text("{")
    (empty.path / "status.json").unlink()
    rows = {row.id: row for row in RunLister(runs_dir).poll()}
    assert rows[good.id].state == "queued"
    assert "schema 9" in rows[newer.id].problem
    assert "damaged" in rows[broken.id].problem
    assert "Cannot read" in rows[empty.id].problem
    assert "is damaged" in rows[odd.id].problem
    assert {rows[run.id].state for run in (newer, broken, empty, odd)} == {"unreadable"}


def test_a_list_never_opens_the_event_logs(run, runs_dir):
    opened = []
    (run.path / "events.jsonl").write_text("not even JSON\n")
    sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
    RunLister(runs_dir).poll()
    assert any(str(path).endswith("status.json") for path in opened)
    assert not any(str(path).endswith("events.jsonl") for path in opened)


def test_only_files_that_changed_are_read_again(run, runs_dir):
    lister, opened = RunLister(runs_dir), []
    replace(run.status, state="finished").write(run.path / "status.json")
    lister.poll()
    sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
    lister.poll()
    assert not any(str(path).startswith(str(run.path)) for path in opened)
