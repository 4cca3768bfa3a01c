"""What a source is, is found out from its content; and the splits are the same every time."""

import subprocess
import sys

import numpy as np
import pytest

from cnnblocks import data
from cnnblocks.errors import CnnblocksError


def positions(split):
    return set(split.indices.tolist())


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    dataset = data.load("digits")
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (1295, 143, 359)
    assert dataset.image_shape == (8, 8, 1)
    assert dataset.class_names == tuple("0123456789")
    bunch = load_digits()
    first = dataset.test.indices[0]
    assert np.abs(dataset.test.array[0, ..., 0] / 255 * 16 - bunch.images[first]).max() < 0.05
    assert dataset.test.labels[0] == bunch.target[first]


def test_splits_share_no_image_and_lose_none():
    dataset = data.load("digits", seed=3)
    parts = [positions(split) for split in dataset.splits.values()]
    assert sum(map(len, parts)) == 1797
    assert set.union(*parts) == set(range(1797))


def test_every_class_is_held_out_in_proportion():
    dataset = data.load("digits")
    share = dataset.test.class_counts / (
        dataset.train.class_counts + dataset.validation.class_counts + dataset.test.class_counts
    )
    assert np.all(np.abs(share - 0.2) < 0.01)


def test_seed_moves_validation_and_never_the_test():
    first, again, other = (data.load("digits", seed=seed) for seed in (0, 0, 1))
    assert positions(first.validation) == positions(again.validation)
    assert positions(first.validation) != positions(other.validation)
    assert positions(first.test) == positions(other.test)
    assert first.train.fingerprint() == again.train.fingerprint()
    assert first.train.fingerprint() != other.train.fingerprint()


def test_validation_may_be_the_tail_the_test_or_nothing():
    tail = data.load("digits", validation="tail")
    assert len(tail.validation) == 144  # Keras' validation_split rounds the training part down
    assert tail.train.indices.max() < tail.validation.indices.min()
    on_test = data.load("digits", validation="test")
    assert on_test.validation is on_test.test
    assert any("not independent" in note for note in on_test.notes)
    for dataset in (
        data.load("digits", validation="none"),
        data.load("digits", validation_split=0),
    ):
        assert dataset.validation is None
        assert list(dataset.splits) == ["train", "test"]


def test_limit_keeps_the_classes_in_proportion():
    dataset = data.load("digits", limit=200)
    assert len(dataset.train) + len(dataset.validation) == 200
    counts = dataset.train.class_counts + dataset.validation.class_counts
    assert counts.min() >= 19 and counts.max() <= 21
    assert len(dataset.test) == 359


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation": "half"}, "validation must be one of holdout, tail, test, none"),
        ({"on_corrupt": "ignore"}, "on_corrupt must be one of error, skip"),
        ({"validation_split": 1.0}, "below 1. Received: validation_split=1.0"),
        ({"validation_split": -0.1}, "0 or more"),
        ({"test_split": 0}, "between 0 and 1. Received: test_split=0"),
        ({"limit": 9}, "at least the number of classes, 10. Received: limit=9"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(data.DataError, match=message):
        data.load("digits", **arguments)


def test_unknown_source_gets_a_guess():
    with pytest.raises(data.DataError, match="Did you mean fashion_mnist") as caught:
        data.load("fashion-mnist")
    assert isinstance(caught.value, CnnblocksError)
    assert isinstance(caught.value, ValueError)


def test_a_file_that_is_no_data_set(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("nothing")
    with pytest.raises(data.DataError, match=r"neither a folder nor a \.npz file"):
        data.load(path)


def test_home_and_relative_paths(make_folder, monkeypatch):
    root = make_folder({"cat": 10, "dog": 10})
    monkeypatch.chdir(root.parent)
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("USERPROFILE", str(root.parent))
    assert data.load("pets").source == data.load("~/pets").source == str(root)


def test_a_folder_named_like_a_known_source_is_reached_by_its_path(make_folder, monkeypatch):
    root = make_folder({"cat": 10, "dog": 10}, name="digits")
    monkeypatch.chdir(root.parent)
    assert data.load("./digits").class_names == ("cat", "dog")
    assert data.load("digits").class_names == tuple("0123456789")


def test_importing_the_room_is_light():
    code = "import sys, cnnblocks.data; print({'keras', 'sklearn'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
