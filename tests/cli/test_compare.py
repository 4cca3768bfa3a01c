import csv
import io

import pytest


@pytest.mark.slow
def test_the_five_networks_are_trained_compared_and_found_again(cnnblocks, runs_dir, tmp_path):
    networks = ["lenet5", "alexnet8", "vgg16", "inception10", "resnet18"]
    how = "--data digits --epochs 1 --train-images 128 --network-arg width=0.25 --seed 1"
    command = ["compare", "--networks", *networks, *how.split()]
    table = cnnblocks(*command, "-o", tmp_path / "compare.png").stdout
    for title in ("parameters", "multiply-adds", "accuracy", "loss", "s/epoch", "images/s"):
        assert title in table
    assert (tmp_path / "compare.png").stat().st_size > 10_000
    trained = sorted(runs_dir.iterdir())
    assert len(trained) == 5

    again = cnnblocks(*command, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(again.stdout)))
    assert [row["network"] for row in rows] == networks
    assert [row["epochs"] for row in rows] == ["1"] * 5
    assert all(0 <= float(row["accuracy"]) <= 1 for row in rows)
    assert int(rows[0]["parameters"]) < int(rows[4]["parameters"])
    assert sorted(runs_dir.iterdir()) == trained
    assert again.stderr.count("is there already") == 5


def test_networks_need_data(cnnblocks):
    assert "--data digits" in cnnblocks("compare", "--networks", "lenet5", expect=2).stderr
