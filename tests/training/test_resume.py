"""A run that was stopped and resumed, in whatever way, ends bit-equal to one that never was."""

import shutil
import signal

import h5py
import numpy as np
import pytest

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
def test_a_finished_run_can_be_trained_longer(uninterrupted, apart, tmp_path):
    run = copied(uninterrupted, tmp_path)
    assert apart(directory=run.path, epochs=2) == 0
    assert run.state == "finished"
    assert [row["epoch"] for row in run.history] == [1, 2, 3, 4, 5, 6, 7]
