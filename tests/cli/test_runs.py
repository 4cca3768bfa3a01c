"""Commands about runs that need no Keras."""

import json
import os
import signal
import subprocess
import sys

import pytest


def test_no_runs_are_no_error_and_say_how_to_start_one(cnnblocks):
    done = cnnblocks("runs")
    assert done.stdout == ""
    assert "cnnblocks train" in done.stderr


def test_the_list_tells_state_network_data_epoch_best_and_speed(cnnblocks, new_run, start_trainer):
    run = new_run()
    start_trainer(run).wait(timeout=60)
    run.note = "a note"
    listed = cnnblocks("runs").stdout
    for part in (run.id, "finished", "lenet5", "digits", "3/3", "1.0000", "500", "a note"):
        assert part in listed
    (row,) = json.loads(cnnblocks("runs", "--json").stdout)
    assert row["schema"] == 1
    assert (row["id"], row["state"], row["epoch"]) == (run.id, "finished", 3)


def test_all_adds_runs_of_other_places(cnnblocks, new_run, tmp_path):
    run = new_run()
    assert cnnblocks("runs", "--runs-dir", tmp_path / "none").stdout == ""
    assert str(run.path) in cnnblocks("runs", "--all", "--runs-dir", tmp_path / "none").stdout


def test_following_prints_every_epoch_and_how_it_ended(cnnblocks, new_run, start_trainer):
    run = new_run()
    start_trainer(run)
    followed = cnnblocks("follow", "last").stdout.splitlines()
    assert [line.split("  ")[0] for line in followed[:3]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert followed[-1] == f"{run.id} finished: best accuracy 1.0000 (epoch 3)"


def test_following_a_run_whose_process_died_says_so(cnnblocks, new_run, start_trainer):
    run = new_run()
    trainer = start_trainer(run, "--then-wait")
    trainer.kill()
    trainer.wait()
    done = cnnblocks("follow", run.id, expect=1)
    assert f"{run.id} interrupted" in done.stdout
    assert f"cnnblocks resume {run.id}" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_ends_the_following_and_not_the_run(new_run, start_trainer, until):
    run = new_run()
    start_trainer(run, "--then-wait")
    follower = subprocess.Popen(
        [sys.executable, "-u", "-m", "cnnblocks", "follow", str(run.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores SIGINT, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert follower.stdout.readline().startswith("epoch 1/3")
    follower.send_signal(signal.SIGINT)
    _, errors = follower.communicate(timeout=60)
    assert follower.returncode == 0
    assert f"{run.id} goes on" in errors
    assert run.state == "running"


def test_stopping_now_waits_for_it(cnnblocks, new_run, start_trainer):
    run = new_run()
    start_trainer(run, "--then-wait")
    assert f"{run.id} stopped" in cnnblocks("stop", run.id).stdout
    assert run.status.reason == "asked to stop"
    again = cnnblocks("stop", run.id, expect=2)
    assert "not running: its state is stopped" in again.stderr


def test_stopping_after_the_epoch_returns_at_once(cnnblocks, new_run, start_trainer, until):
    run = new_run()
    start_trainer(run, "--then-wait")
    assert "after epoch" in cnnblocks("stop", run.id, "--after-epoch").stdout
    until(lambda: run.state == "stopped")


def test_a_trainer_that_does_not_obey_is_told_of(cnnblocks, new_run, start_trainer):
    run = new_run()
    trainer = start_trainer(run, "--then-wait")
    if hasattr(signal, "SIGSTOP"):
        trainer.send_signal(signal.SIGSTOP)
        done = cnnblocks("stop", run.id, "--wait", "0.5")
        assert f"kill {trainer.pid}" in done.stderr


def test_notes_are_written_and_read(cnnblocks, new_run):
    run = new_run()
    cnnblocks("note", run.id, "twice the rate")
    assert cnnblocks("note", run.id).stdout == "twice the rate\n"


def test_deleting_asks_and_refuses_what_is_being_trained(cnnblocks, new_run, start_trainer):
    run = new_run()
    cnnblocks("rm", run.id, input="n\n")
    assert run.path.exists()
    trainer = start_trainer(run, "--then-wait")
    assert "is being trained" in cnnblocks("rm", run.id, "--yes", expect=2).stderr
    trainer.kill()
    trainer.wait()
    assert cnnblocks("rm", run.id, input="y\n").stdout == f"Deleted {run.id}.\n"
    assert not run.path.exists()


@pytest.mark.parametrize("command", ["follow", "stop", "resume", "rm", "note", "curves"])
def test_an_unknown_run_is_one_line_with_status_2(cnnblocks, new_run, command):
    run = new_run()
    done = cnnblocks(command, "nonsense", expect=2)
    assert done.stderr.startswith("Error: No run 'nonsense'")
    assert run.id in done.stderr
    assert len(done.stderr.splitlines()) == 1


COMMANDS = ("runs", "follow", "stop", "resume", "rm", "note", "doctor")
KERAS_COMMANDS = ("curves", "compare", "export", "evaluate", "predict")


@pytest.mark.parametrize("command", [*COMMANDS, *KERAS_COMMANDS])
def test_help_ends_with_an_example_and_needs_no_keras(command):
    code = (
        "import sys\n"
        "from cnnblocks.cli import cnnblocks\n"
        f"cnnblocks(['{command}', '--help'], standalone_mode=False)\n"
        "print([name for name in ('keras', 'numpy', 'rich', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    *help_text, imported = done.stdout.splitlines()
    assert f"Example: cnnblocks {command}" in "\n".join(help_text)
    assert imported == "[]"


def test_curves_are_drawn_in_the_terminal_and_as_a_picture(
    cnnblocks, new_run, start_trainer, tmp_path
):
    first, second = new_run(), new_run(epochs=2)
    start_trainer(first).wait(timeout=60)
    start_trainer(second).wait(timeout=60)
    drawn = cnnblocks("curves", first.id).stdout
    assert "accuracy" in drawn and "loss" in drawn and "epoch 1 to 3" in drawn
    assert second.id in cnnblocks("curves", first.id, second.id).stdout
    cnnblocks("curves", first.id, second.id, "-o", tmp_path / "curves.svg")
    picture = (tmp_path / "curves.svg").read_text()
    assert picture.startswith("<?xml")
    wrong = cnnblocks("curves", first.id, "-o", tmp_path / "curves.bmp", expect=2)
    assert ".svg, .png, .pdf" in wrong.stderr


def test_curves_of_a_run_without_epochs_say_so(cnnblocks, new_run):
    assert "completed no epoch yet" in cnnblocks("curves", new_run().id, expect=2).stderr
