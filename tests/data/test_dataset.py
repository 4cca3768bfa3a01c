"""Splits and data sets as objects."""

import json

import numpy as np
import pytest

from cnnblocks import data
from cnnblocks.data.images import ArrayImages


def test_subset_of_a_subset(make_arrays):
    x, y = make_arrays()
    split = data.Split(ArrayImages(x), y, "abcd").subset(np.arange(10, 30)).subset(np.array([3, 1]))
    np.testing.assert_array_equal(split.array, x[[13, 11]])
    np.testing.assert_array_equal(split.labels, y[[13, 11]])
    np.testing.assert_array_equal(split.images([1])[0], x[11])
    assert split.class_counts.sum() == 2
    assert split.path(0) is None


def test_sample_takes_every_class(make_folder):
    root = make_folder({"cat": 20, "dog": 3, "owl": 20})
    make_folder({"ray": 9}, size=(30, 20))
    train = data.load(root, validation="none").train
    images, labels = train.sample(4, seed=1)
    assert labels.tolist() == [0] * 4 + [1] * 2 + [2] * 4 + [3] * 4
    assert {image.shape for image in images} == {(8, 6, 3), (30, 20, 3)}
    again, _ = train.sample(4, seed=1)
    other, _ = train.sample(4, seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(images, again))
    assert not all(np.array_equal(a, b) for a, b in zip(images, other))


def test_array_of_files_says_what_to_do(make_folder):
    train = data.load(make_folder({"cat": 9, "dog": 9})).train
    with pytest.raises(data.DataError, match="prepare"):
        _ = train.array
    prepared = train.prepare(data.Preprocessing((4, 4, 1)))
    assert prepared.array.shape == (len(train), 4, 4, 1)
    assert prepared.prepare(data.Preprocessing((4, 4, 1))) is prepared


def test_fingerprint_of_arrays_notices_pixels_labels_and_order(make_arrays):
    x, y = make_arrays()
    split = data.Split(ArrayImages(x), y, "abcd")
    changed = x.copy()
    changed[39, 7, 7, 2] ^= 1
    others = [
        data.Split(ArrayImages(changed), y, "abcd"),
        data.Split(ArrayImages(x), np.roll(y, 1), "abcd"),
        data.Split(ArrayImages(x), y, "abce"),
        split.subset(np.arange(39, -1, -1)),
    ]
    assert len({split.fingerprint(), *(other.fingerprint() for other in others)}) == 5
    assert data.Split(ArrayImages(x.copy()), y.copy(), "abcd").fingerprint() == split.fingerprint()


def test_description_is_plain_data(make_folder):
    root = make_folder({"train/cat": 10, "train/dog": 10, "test/cat": 2})
    facts = json.loads(json.dumps(data.load(root).to_dict()))
    assert facts["schema"] == 1
    assert facts["splits"] == {"train": 18, "validation": 2, "test": 2}
    assert facts["classes"][1] == {"name": "dog", "train": 9, "validation": 1, "test": 0}
    assert facts["image_shape"] == [8, 6, 3]
    assert facts["notes"] and facts["skipped"] == []
