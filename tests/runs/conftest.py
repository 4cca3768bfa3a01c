"""Runs to read, made by a trainer that trains nothing."""

import pytest

from cnnblocks.runs import RunDirectory

CONFIG = {"network": "lenet5", "data": {"name": "digits"}, "epochs": 3}


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def new_run(runs_dir):
    """Makes runs: `new_run(network="vgg16")`."""
    return lambda **config: RunDirectory.create(CONFIG | config, runs_dir)


@pytest.fixture
def run(new_run):
    return new_run()
