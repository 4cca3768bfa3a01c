"""The command line as people run it."""

import os
import subprocess
import sys
import time

import pytest

from cnnblocks.runs import RunDirectory

# Trains nothing, but writes what a trainer writes until it is asked to stop.
TRAINER = """
import sys, time
from cnnblocks.runs import TrainingSession, record_epoch
run = sys.argv[1]
with TrainingSession(run) as session:
    epochs = session.status.epochs
    session.event("run_start", network="lenet5", data="digits", epochs=epochs)
    for epoch in range(session.status.epoch + 1, epochs + 1):
        metrics = {"loss": 1 / epoch, "accuracy": epoch / epochs}
        row = {"seconds": 0.1, "images_per_second": 500.0, "learning_rate": 0.1}
        session.event("progress", epoch=epoch, step=1, steps=2, metrics=metrics)
        record_epoch(f"{run}/history.csv", {"epoch": epoch, **row, **metrics})
        session.event("epoch_end", epoch=epoch, metrics=metrics, **row)
        best = {"epoch": epoch, "metric": "accuracy", "value": metrics["accuracy"]}
        session.save(epoch=epoch, metrics=metrics, best=best, images_per_second=500.0)
        if "--then-wait" in sys.argv:
            while not session.asked():
                time.sleep(0.01)
        if session.asked():
            session.end("stopped", "asked to stop")
            break
"""


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def cnnblocks(runs_dir):
    """Runs the command line in a process of its own: `cnnblocks("runs", "--json")`."""

    def run(*arguments, expect=0, **options):
        done = subprocess.run(
            [sys.executable, "-m", "cnnblocks", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | {"CNNBLOCKS_RUNS_DIR": str(runs_dir), "NO_COLOR": "1"},
            **options,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def new_run(runs_dir):
    """Makes runs: `new_run(epochs=3)`."""
    config = {"network": "lenet5", "data": {"name": "digits"}, "epochs": 3}
    return lambda **changes: RunDirectory.create(config | changes, runs_dir)


@pytest.fixture
def start_trainer():
    """Starts a trainer that trains nothing on a run, and ends it after the test."""
    started = []

    def start(run, *options):
        command = [sys.executable, "-c", TRAINER, str(run.path), *options]
        started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        wait_until(lambda: run.state != "queued")
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def until():
    return wait_until


def wait_until(condition, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
