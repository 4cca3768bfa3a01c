import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnblocks.runs import (
    NewerSchemaError,
    RunBusyError,
    RunDirectory,
    RunError,
    RunNotFoundError,
    TrainingSession,
    list_runs,
    resolve,
)

# A process that holds a run until it is killed, or until it is asked to stop.
TRAINER = """
import sys, time
from cnnblocks.runs import TrainingSession
with TrainingSession(sys.argv[1]) as session:
    print("training", flush=True)
    while "stop" not in session.asked():
        time.sleep(0.01)
    session.end("stopped", "asked to")
"""


def names(directory):
    return [path.name for path in directory.iterdir()]


@pytest.fixture
def trainer(run):
    """A process that trains `run`."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINER, str(run.path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "training\n"
    yield process
    process.kill()
    process.wait()


def test_a_new_run_is_queued_and_whole(run, runs_dir):
    assert re.fullmatch(r"\d{8}-\d{4}-lenet5-[0-9a-f]{4}", run.id)
    assert run.config["schema"] == 1
    assert run.config["id"] == run.id
    assert abs(run.config["created"] - time.time()) < 60
    assert (run.state, run.status.epochs) == ("queued", 3)
    assert (run.history, run.events, run.checkpoints, run.note) == ([], [], [], "")
    assert names(runs_dir) == [run.id]


@pytest.mark.parametrize("network", ["My Net!", "../../etc", "model.keras", "ж"])
def test_an_id_is_a_plain_name_whatever_the_network_is_called(new_run, runs_dir, network):
    run = new_run(network=network)
    assert run.path.parent == runs_dir
    assert re.fullmatch(r"\d{8}-\d{4}-[a-z0-9-]+-[0-9a-f]{4}", run.id)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"Cannot create a run in .*file.*--runs-dir"):
        RunDirectory.create({"network": "lenet5"}, tmp_path / "file")


def test_a_run_answers_to_its_id_a_prefix_its_path_and_last(new_run, runs_dir):
    first, second = new_run(network="vgg16"), new_run(network="lenet5")
    assert resolve(second.id, runs_dir) == second.path
    assert resolve(second.id[:-1], runs_dir) == second.path
    assert resolve(first.path) == first.path
    assert resolve(str(first.path)) == first.path
    assert RunDirectory.open("last", runs_dir) == second


@given(st.data())
def test_a_prefix_finds_the_one_run_it_fits_or_lists_all_it_fits(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("runs")
    ids = data.draw(st.sets(st.text("ab-", min_size=1, max_size=4).map("r".__add__), max_size=8))
    for name in ids:
        (root / name).mkdir()
        (root / name / "config.json").write_text("{}")
    reference = data.draw(st.text("ab-", max_size=4).map("r".__add__))
    fitting = {reference} & ids or {name for name in ids if name.startswith(reference)}
    if len(fitting) == 1:
        assert resolve(reference, root).name in fitting
        return
    with pytest.raises(RunNotFoundError) as raised:
        resolve(reference, root)
    if fitting:
        assert f"fits {len(fitting)} runs" in str(raised.value)


def test_errors_about_a_name_say_what_there_is(new_run, runs_dir, tmp_path):
    with pytest.raises(RunNotFoundError, match=r"no runs .* yet.*cnnblocks train"):
        resolve("last", runs_dir)
    with pytest.raises(RunNotFoundError, match="holds no runs"):
        resolve("x", runs_dir)
    run = new_run()
    with pytest.raises(RunNotFoundError, match="Name a run"):
        resolve("", runs_dir)
    new_run()
    with pytest.raises(RunNotFoundError, match=r"fits 2 runs: .*Name more of it"):
        resolve(run.id[:4], runs_dir)
    with pytest.raises(RunNotFoundError, match=f"Did you mean {run.id}"):
        resolve(run.id.replace("lenet5", "lenet"), runs_dir)
    with pytest.raises(RunNotFoundError, match=f"No run .*but there is {run.path}"):
        resolve(run.id, tmp_path / "elsewhere")
    with pytest.raises(RunNotFoundError, match="is not a run"):
        resolve(tmp_path)
    with pytest.raises(RunNotFoundError, match="nothing of that name"):
        resolve(tmp_path / "gone")


def test_the_index_finds_runs_of_all_places_that_are_still_there(new_run, tmp_path):
    here = new_run()
    there = RunDirectory.create({"network": "nin"}, tmp_path / "elsewhere")
    gone = RunDirectory.create({"network": "nin"}, tmp_path / "elsewhere")
    shutil.rmtree(gone.path)
    assert set(list_runs(tmp_path / "none", everywhere=True)) == {here, there}


def test_a_run_that_moved_is_found_where_it_is(run, tmp_path):
    run.path.rename(tmp_path / "moved")
    assert RunDirectory.open(tmp_path / "moved").config["id"] == run.id


def test_a_process_at_work_shows_as_running_and_keeps_others_out(run, trainer):
    assert run.state == "running"
    assert run.status.pid == trainer.pid
    assert run.status.host == socket.gethostname()
    with pytest.raises(RunBusyError, match=f"process {trainer.pid}"), TrainingSession(run.path):
        pass
    with pytest.raises(RunBusyError):
        run.delete()
    with pytest.raises(RunBusyError):
        run.launch()
    assert run.state == "running"


def test_a_killed_process_shows_as_interrupted_and_the_run_can_be_taken_over(run, trainer):
    trainer.kill()
    trainer.wait()
    assert run.status.state == "running"
    assert run.state == "interrupted"
    with TrainingSession(run.path) as session:
        assert session.resumed
        assert run.state == "running"
    assert run.state == "finished"


def test_a_process_number_given_away_again_does_not_pass_for_the_trainer(run):
    status = run.status.queued()
    replace(status, state="running", pid=os.getpid()).write(run.path / "status.json")
    assert run.state == "interrupted"


def test_stop_is_asked_for_and_obeyed(run, trainer):
    run.ask("stop")
    assert trainer.wait(timeout=30) == 0
    assert (run.state, run.status.reason) == ("stopped", "asked to")
    assert names(run.path / "control") == []
    with pytest.raises(RunError, match="not running: its state is stopped"):
        run.ask("stop")
    with pytest.raises(ValueError, match="must be one of"):
        new = RunDirectory.create({"network": "nin"}, run.path.parent)
        new.ask("dance")


def test_what_is_asked_of_a_queued_run_reaches_its_trainer(run):
    run.ask("stop-after-epoch")
    with TrainingSession(run.path) as session:
        assert session.asked() == ["stop-after-epoch"]


@pytest.mark.parametrize(("age", "state"), [(5, "running"), (3600, "interrupted")])
def test_another_machines_process_is_judged_by_its_heartbeat(run, age, state):
    elsewhere = replace(
        run.status, state="running", pid=1, host="elsewhere", heartbeat=time.time() - age
    )
    elsewhere.write(run.path / "status.json")
    assert run.state == state
    if state == "running":
        with (
            pytest.raises(RunBusyError, match="trained on elsewhere"),
            TrainingSession(run.path),
        ):
            pass
        return
    with TrainingSession(run.path):
        assert run.status.host == socket.gethostname()


def test_a_queued_run_that_nobody_starts_is_interrupted_after_a_while(run):
    replace(run.status, heartbeat=time.time() - 3600).write(run.path / "status.json")
    assert run.state == "interrupted"


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (RuntimeError("no\nmemory"), "failed", "RuntimeError: no\nmemory"),
        (RunError("The data are gone."), "failed", "The data are gone."),
        (KeyboardInterrupt(), "stopped", "interrupted from the keyboard"),
    ],
)
def test_an_exception_ends_the_run_with_its_reason(run, error, state, reason):
    with pytest.raises(type(error)), TrainingSession(run.path):
        raise error
    assert (run.state, run.status.reason) == (state, reason)
    assert run.events[-1] | {"time": 0} == {
        "schema": 1,
        "time": 0,
        "event": "run_end",
        "state": state,
        "reason": reason,
        "epoch": 0,
    }


def test_the_heartbeat_goes_on_while_nothing_happens(run):
    with TrainingSession(run.path) as session:
        first = run.status.heartbeat
        session.update(epoch=2)
        deadline = time.monotonic() + 30
        while run.status.heartbeat == first and time.monotonic() < deadline:
            time.sleep(0.05)
        assert run.status.heartbeat > first
        assert run.status.epoch == 2


def can_mount():
    """Whether this user may mount a small disk of their own to fill up."""
    if not shutil.which("unshare"):
        return False
    mount = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(mount, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs a disk of its own to fill")
def test_a_full_disk_still_gets_the_last_word(tmp_path):
    code = """
import sys
from cnnblocks.runs import RunDirectory, TrainingSession
run = RunDirectory.create({"network": "lenet5", "epochs": 3}, sys.argv[1])
try:
    with TrainingSession(run.path) as session:
        session.event("run_start")
        with open(run.path / "model.keras", "wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
except OSError:
    print(run.state, run.status.reason, [event["event"] for event in run.events])
"""
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "fill.py").write_text(code)
    script = (
        f"mount -t tmpfs -o size=256k none {disk} && "
        f"CNNBLOCKS_STATE_DIR={tmp_path} exec {sys.executable} {tmp_path}/fill.py {disk}"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("failed OSError: [Errno 28] No space left on device")
    assert "run_start" in done.stdout


def test_a_directory_deleted_under_the_trainer_ends_it_with_a_sentence(run, capsys):
    with pytest.raises(FileNotFoundError), TrainingSession(run.path) as session:
        shutil.rmtree(run.path)
        session.save(epoch=1)
    assert "failed: FileNotFoundError" in capsys.readouterr().err


def test_deleting_leaves_nothing(run, runs_dir):
    run.delete()
    assert names(runs_dir) == []
    assert list_runs(runs_dir, everywhere=True) == []


def test_notes_are_kept_and_replaced(run):
    run.note = "twice the rate"
    assert RunDirectory(run.path).note == "twice the rate"
    run.note = ""
    assert run.note == ""


def test_a_run_of_a_later_version_says_so(run):
    (run.path / "status.json").write_text('{"schema": 7}')
    with pytest.raises(NewerSchemaError, match="schema 7"):
        _ = run.state


def test_fields_of_a_later_release_of_the_same_schema_are_passed_over(run):
    (run.path / "status.json").write_text('{"schema": 1, "state": "finished", "mood": "good"}')
    assert run.state == "finished"


def needs_another_user():
    if os.name == "nt":
        return True
    return os.geteuid() == 0 and not shutil.which("setpriv")


@pytest.mark.skipif(needs_another_user(), reason="needs a user without rights")
def test_a_run_of_another_user_can_be_read_and_not_changed():
    code = """
import sys
from cnnblocks.runs import RunDirectory, RunError
run = RunDirectory(sys.argv[1])
print(run.state, run.writable)
changes = (run.delete, run.launch, lambda: run.ask("stop"), lambda: setattr(run, "note", "x"))
for change in changes:
    try:
        change()
    except RunError as error:
        print(error)
"""
    as_nobody = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        run = RunDirectory.create({"network": "lenet5"}, place)
        run.path.chmod(0o555)
        done = subprocess.run(
            [*as_nobody, sys.executable, "-B", "-c", code, str(run.path)],
            capture_output=True,
            text=True,
        )
        run.path.chmod(0o755)
    lines = done.stdout.splitlines()
    assert lines[:1] == ["queued False"], done.stderr
    assert len(lines) == 5
    assert all("you can read it, not change it" in line for line in lines[1:])
