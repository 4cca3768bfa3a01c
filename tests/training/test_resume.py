"""A run that was stopped and resumed, in whatever way, ends bit-equal to one that never was."""

import shutil
import signal

import h5py
import numpy as np
import pytest

from cnnblocks.errors import CnnblocksError
from cnnblocks.runs import RunBusyError, TrainingSession
from cnnblocks.training import Run

TIMES = ("seconds", "images_per_second")


@pytest.fixture(scope="module")
def queued(queue, tmp_path_factory):
    """Dropout, augmentation, a moving average, a schedule, smoothed labels."""
    return queue(
        tmp_path_factory.mktemp("queued"),
        network="baseline",
        data="digits",
        seed=3,
        images=400,
        epochs=5,
        batch_size=8,
        input_shape=(16, 16, 1),
        ema=0.9,
        label_smoothing=0.1,
        schedule="one-cycle",
        augmentation={"shift": 2, "cutout": 3},
        checkpoint_every=1,
        csv=True,
    )


@pytest.fixture(scope="module")
def uninterrupted(queued, apart, tmp_path_factory):
    run = copied(queued, tmp_path_factory.mktemp("uninterrupted"))
    assert apart(directory=run.path) == 0
    return run


def copied(run, directory):
    """The same run elsewhere, before anybody trained it."""
    return Run(shutil.copytree(run.path, directory / run.id))


def arrays(path):
    """Every array of a `.weights.h5`, by its path."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return found


def assert_same_end(run, other):
    for name in ("checkpoints/last.weights.h5", "checkpoints/best.weights.h5"):
        ours, theirs = arrays(run.path / name), arrays(other.path / name)
        assert ours.keys() == theirs.keys()
        for key in ours:
            np.testing.assert_array_equal(ours[key], theirs[key], err_msg=f"{name}: {key}")
    assert measured(run.history) == measured(other.history)
    assert run.status.best == other.status.best
    tests = [[e["metrics"] for e in r.events if e["event"] == "evaluation"] for r in (run, other)]
    assert tests[0] == tests[1]


def measured(history):
    return [{k: v for k, v in row.items() if k not in TIMES} for row in history]


@pytest.mark.slow
def test_killed_again_and_again_it_ends_the_same(queued, uninterrupted, apart, tmp_path):
    run = copied(queued, tmp_path)
    for plan in (
        ("kill", "progress", 1),
        ("kill soon", "epoch_start", 2),
        ("die while writing", "run_end", None),
        ("kill soon", "epoch_start", 4),
    ):
        assert apart(directory=run.path, plan=plan) == -signal.SIGKILL, plan
        assert run.state == "interrupted"
        assert not (run.path / "model.keras").exists()
    assert apart(directory=run.path) == 0
    assert run.state == "finished"
    assert [row["epoch"] for row in run.history] == [1, 2, 3, 4, 5]
    assert_same_end(run, uninterrupted)


@pytest.mark.slow
def test_interrupted_in_the_middle_of_epochs_it_ends_the_same(
    queued, uninterrupted, apart, tmp_path
):
    run = copied(queued, tmp_path)
    for epoch, name in ((1, "SIGINT"), (2, "SIGTERM")):
        assert apart(directory=run.path, plan=(name, "progress", epoch)) == 0
        assert run.state == "stopped"
        assert name in run.status.reason
    assert apart(directory=run.path) == 0
    assert_same_end(run, uninterrupted)
    resumed = [event for event in run.events if event["event"] == "resume"]
    assert [event["epoch"] for event in resumed] == [0, 1]
    assert all(event["step"] > 0 for event in resumed)


@pytest.mark.slow
def test_every_epoch_leaves_the_weights_that_were_validated(uninterrupted):
    best = uninterrupted.status.best["epoch"]
    ours, theirs = (
        arrays(uninterrupted.path / f"checkpoints/{name}.weights.h5")
        for name in ("best", f"epoch-{best:04d}")
    )
    for key in ours:
        np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key)
    rows = (uninterrupted.path / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("trouble", ["another process", "data that are gone"])
def test_a_refused_resume_leaves_the_plan_as_it_was(queued, tmp_path, trouble):
    run = copied(queued, tmp_path)
    if trouble == "another process":
        with TrainingSession(run.path), pytest.raises(RunBusyError):
            run.resume(epochs=3)
    else:
        source = str(tmp_path / "gone")
        run.write_config(run.config | {"data": run.config["data"] | {"source": source}})
        with pytest.raises(CnnblocksError, match="gone"):
            run.resume(epochs=3)
    run.reload()
    assert (run.config["epochs"], run.config["recipe"]["epochs"]) == (5, 5)


@pytest.mark.slow
def test_a_run_that_stops_early_is_whole(queue, apart, tmp_path):
    run = queue(
        tmp_path,
        network="baseline",
        data="digits",
        images=100,
        epochs=9,
        learning_rate=1e-12,
        input_shape=(16, 16, 1),
        best_by="val_accuracy",
        early_stopping=2,
        csv=True,
    )
    assert apart(directory=run.path) == 0
    assert run.state == "finished"
    assert "stopped early" in run.status.reason
    assert len(run.history) == 3
    assert len((run.path / "log.csv").read_text().splitlines()) == 4
    assert (run.path / "weights.weights.h5").exists()
    assert [event for event in run.events if event["event"] == "evaluation"]
    assert run.model().count_params() > 0


@pytest.mark.slow
def test_a_finished_run_can_be_trained_longer(uninterrupted, apart, tmp_path):
    run = copied(uninterrupted, tmp_path)
    assert apart(directory=run.path, epochs=2) == 0
    assert run.state == "finished"
    assert [row["epoch"] for row in run.history] == [1, 2, 3, 4, 5, 6, 7]
