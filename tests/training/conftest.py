"""Training processes that start fast: one warm process forks them all."""

import multiprocessing
import runpy
from pathlib import Path

import pytest

from cnnblocks.training import Run

CHILD = Path(__file__).with_name("trainer_child.py")
_PRELOADED = [
    "keras",
    "h5py",
    "sklearn.datasets",
    "sklearn.metrics",
    "cnnblocks.networks",
    "cnnblocks.training.trainer",
]


@pytest.fixture(scope="session")
def apart():
    """Do a job of `trainer_child.py` in another process and return its exit status."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)

    def work(**job):
        child = context.Process(
            target=runpy.run_path, args=(str(CHILD),), kwargs={"init_globals": {"job": job}}
        )
        child.start()
        child.join(timeout=300)
        if child.exitcode is None:
            child.kill()
            pytest.fail("the training process did not end within five minutes")
        return child.exitcode

    return work


@pytest.fixture(scope="session")
def queue(apart):
    """Make a run that nobody has begun to train, with arguments of `settle`."""

    def create(runs_dir, **options):
        assert apart(create=options, runs_dir=runs_dir) == 0
        return Run.open("last", runs_dir)

    return create
