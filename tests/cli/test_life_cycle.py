"""A run from its start in the background to its end, through real training processes."""

import json
import os
import signal

import pytest

from cnnblocks.runs import RunDirectory


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_detached_run_is_watched_stopped_resumed_killed_and_deleted(cnnblocks, runs_dir, until):
    train = ("train", "lenet5", "--data", "digits", "--epochs", "5000", "--tune", "off")
    assert "cnnblocks follow" in cnnblocks(*train, "--detach").stdout
    run = RunDirectory.open("last", runs_dir)
    until(lambda: run.status.epoch >= 1)
    (row,) = json.loads(cnnblocks("runs", "--json").stdout)
    assert (row["state"], row["epochs"]) == ("running", 5000)
    assert row["seconds_left"] > 0
    assert os.getsid(run.status.pid) == run.status.pid
    assert "being trained" in cnnblocks("resume", run.id, expect=2).stderr
    assert "being trained" in cnnblocks("rm", run.id, "--yes", expect=2).stderr

    assert f"{run.id} stopped" in cnnblocks("stop", run.id).stdout
    stopped_after = run.status.epoch
    assert run.checkpoints[-1].name == "last"

    cnnblocks("resume", run.id, "--detach")
    until(lambda: run.status.epoch > stopped_after)
    os.kill(run.status.pid, signal.SIGKILL)
    until(lambda: run.state == "interrupted")
    assert f"cnnblocks resume {run.id}" in cnnblocks("follow", run.id, expect=1).stderr
    kinds = [event["event"] for event in run.events]
    assert kinds.count("run_start") == 2
    assert kinds.count("resume") == 1

    cnnblocks("rm", run.id, "--yes")
    assert not run.path.exists()


@pytest.mark.slow
def test_a_finished_run_can_be_trained_longer(cnnblocks, trained_run, runs_dir):
    import shutil

    run = RunDirectory(shutil.copytree(trained_run, runs_dir / trained_run.name))
    assert "is finished" in cnnblocks("resume", run.id, expect=2).stderr
    done = cnnblocks("resume", run.id, "--epochs", "1")
    assert "epoch 3/3" in done.stdout
    assert f"{run.id} finished" in done.stdout
    assert [row["epoch"] for row in run.history] == [1, 2, 3]
