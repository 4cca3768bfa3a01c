"""Runs to draw and compare, whose epochs nobody trained."""

import pytest

from cnnblocks.runs import RunDirectory, record_epoch, write_json

CONFIG = {
    "network": "lenet5",
    "input_shape": [32, 32, 1],
    "data": {"name": "digits", "class_names": [str(digit) for digit in range(10)]},
    "recipe": {"network_args": {}, "epochs": 3},
    "epochs": 3,
}


@pytest.fixture
def finished_run(tmp_path):
    """Makes runs that completed some epochs: `finished_run(epochs=2, network="nin")`."""

    def make(epochs=3, tested=None, validated=True, **changes):
        run = RunDirectory.create(CONFIG | changes, tmp_path / "runs")
        for epoch in range(1, epochs + 1):
            row = {"epoch": epoch, "seconds": 2.0 * epoch, "images_per_second": 100.0 * epoch}
            row |= {"accuracy": 0.2 * epoch, "loss": 1 / epoch}
            if validated:
                row |= {"val_accuracy": 0.19 * epoch, "val_loss": 1.1 / epoch}
            record_epoch(run.path / "history.csv", row)
        if tested is not None:
            metrics = {"accuracy": tested, "loss": 0.5}
            write_json(run.path / "evaluation" / "digits-best.json", {"metrics": metrics})
        return run

    return make
