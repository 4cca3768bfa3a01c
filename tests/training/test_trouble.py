"""What can go wrong while training ends in a state and a reason, never in a broken file."""

import os
import shutil

import pytest

from cnnblocks.runs import TrainingSession
from cnnblocks.training import Run
from cnnblocks.training.callbacks import Reporter
from cnnblocks.training.checkpoint import read_progress


@pytest.fixture(scope="module")
def queued(queue, tmp_path_factory):
    return queue(
        tmp_path_factory.mktemp("queued"),
        network="lenet5",
        data="digits",
        images=160,
        epochs=2,
        batch_size=16,
        input_shape=(16, 16, 1),
    )


@pytest.fixture
def run(queued, tmp_path):
    return Run(shutil.copytree(queued.path, tmp_path / queued.id))


def last(run):
    return run.path / "checkpoints" / "last.weights.h5"


@pytest.mark.slow
def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_good_weights(run, apart):
    assert apart(directory=run.path, plan=("SIGINT", "epoch_start", 2)) == 0
    assert (run.state, read_progress(last(run)).epoch) == ("stopped", 1)
    good = last(run).read_bytes()
    apart(directory=run.path, config={"learning_rate": 1e38})
    assert run.state == "failed"
    assert "lower learning rate" in run.status.reason
    assert last(run).read_bytes() == good
    assert [e["kind"] for e in run.events if e["event"] == "warning"] == ["not-finite"]


@pytest.mark.slow
def test_a_full_disk_fails_the_run_and_it_can_go_on_later(run, apart):
    apart(directory=run.path, plan=("fill the disk", "epoch_start", 2))
    assert run.state == "failed"
    assert "cannot be written" in run.status.reason
    assert read_progress(last(run)).epoch == 1
    assert not list(run.path.rglob(".writing-*"))
    assert apart(directory=run.path) == 0
    assert run.state == "finished"
    assert [row["epoch"] for row in run.history] == [1, 2]


@pytest.mark.slow
def test_a_directory_deleted_under_the_trainer_ends_the_process(run, apart):
    assert apart(directory=run.path, plan=("delete", "epoch_start", 2)) == 1
    assert not run.path.exists()


def test_whoever_watched_may_leave_and_training_goes_on(run):
    reading, writing = os.pipe()
    os.close(reading)
    seen = []

    def watch(name, fields):
        seen.append(name)
        os.write(writing, b"progress")

    with TrainingSession(run.path) as session:
        reporter = Reporter(session, watch)
        reporter.event("progress", step=1)
        reporter.event("progress", step=2)
        session.end("stopped", "asked to stop")
    os.close(writing)
    assert seen == ["progress"]
    assert [event["step"] for event in run.events if event["event"] == "progress"] == [1, 2]
