"""Batches depend on nothing but the seed, the epoch and their number."""

import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnblocks import data
from cnnblocks.data import Augmentation, Batches, Preprocessing
from cnnblocks.data.images import ArrayImages

RAW = Preprocessing((2, 2, 1), scaling="raw")


def split_of(count):
    """A split whose images all differ, so that each one can be recognised."""
    images = np.arange(count * 4, dtype=np.uint32).view(np.uint8).reshape(-1, 2, 2, 1)[:count]
    return data.Split(ArrayImages(images), np.arange(count) % 3, "abc")


arguments = st.fixed_dictionaries(
    {
        "batch_size": st.integers(1, 12),
        "shuffle": st.booleans(),
        "seed": st.integers(0, 2**40),
        "epoch": st.integers(1, 9),
        "augmentation": st.sampled_from([None, Augmentation(shift=1, flip=True, cutout=1)]),
    }
)


@given(st.integers(1, 40), arguments)
def test_every_image_comes_once_an_epoch(count, kwargs):
    batches = Batches(split_of(count), preprocessing=RAW, **kwargs)
    seen = np.concatenate([batches.positions(i) for i in range(len(batches))])
    assert sorted(seen.tolist()) == list(range(count))
    labels = np.concatenate([y for _, y in batches])
    np.testing.assert_array_equal(labels, seen % 3)


@given(st.integers(1, 40), arguments, st.data())
def test_a_batch_is_the_same_however_it_is_reached(count, kwargs, draw):
    batches = Batches(split_of(count), preprocessing=RAW, **kwargs)
    every = list(batches)
    start = draw.draw(st.integers(0, len(batches)))
    resumed = Batches(split_of(count), preprocessing=RAW, start=start, **kwargs)
    other = Batches(split_of(count), preprocessing=RAW, **{**kwargs, "epoch": 77})
    ahead = other.at_epoch(kwargs["epoch"], start=start)
    ahead.readers = draw.draw(st.integers(1, 3))
    for again in (resumed, other.at_epoch(kwargs["epoch"], start=start), ahead):
        again = list(again)
        assert len(again) == len(every) - start
        for (x, y), (x2, y2) in zip(every[start:], again):
            np.testing.assert_array_equal(x, x2)
            np.testing.assert_array_equal(y, y2)
    index = draw.draw(st.integers(0, len(batches) - 1))
    np.testing.assert_array_equal(batches[index][0], every[index][0])


@given(st.integers(1, 40), arguments, st.sampled_from([1, 2, 3, 4]), st.booleans())
def test_shards_together_are_the_whole_batch(count, kwargs, shards, drop):
    kwargs = {**kwargs, "batch_size": 12, "drop_remainder": drop}
    if drop and count < 12:
        count += 12
    whole = Batches(split_of(count), preprocessing=RAW, **kwargs)
    parts = [
        Batches(split_of(count), preprocessing=RAW, shard=(i, shards), **kwargs)
        for i in range(shards)
    ]
    assert {len(part) for part in parts} == {len(whole)}
    for index in range(len(whole)):
        pieces = [part[index] for part in parts]
        np.testing.assert_array_equal(np.concatenate([x for x, _ in pieces]), whole[index][0])
        np.testing.assert_array_equal(np.concatenate([y for _, y in pieces]), whole[index][1])
        if drop:
            assert len({len(y) for _, y in pieces}) == 1


def test_epochs_and_seeds_differ():
    batches = Batches(split_of(100), 100, preprocessing=RAW, shuffle=True)
    orders = {tuple(batches.at_epoch(e).order) for e in (1, 2, 3)}
    orders |= {tuple(Batches(split_of(100), 9, preprocessing=RAW, shuffle=True, seed=1).order)}
    assert len(orders) == 4
    assert Batches(split_of(100), 9, preprocessing=RAW).order.tolist() == list(range(100))


def test_augmentation_differs_by_epoch_and_batch():
    split = data.Split(ArrayImages(np.full((20, 8, 8, 1), 5, np.uint8)), np.arange(20) % 2, "ab")
    batches = Batches(
        split, 10, preprocessing=Preprocessing((8, 8, 1)), augmentation=Augmentation(cutout=3)
    )
    images = [batches[0][0], batches[1][0], batches.at_epoch(2)[0][0]]
    for i, first in enumerate(images):
        assert all(not np.array_equal(first, other) for other in images[i + 1 :])


def test_steps_and_remainder():
    split = split_of(25)
    assert len(Batches(split, 10, preprocessing=RAW)) == 3
    assert len(Batches(split, 10, preprocessing=RAW, drop_remainder=True)) == 2
    assert len(list(Batches(split, 10, preprocessing=RAW, steps=1))) == 1
    assert len(Batches(split, 10, preprocessing=RAW, steps=99)) == 3
    with pytest.raises(IndexError, match=r"batches 0 to 2. Received: 3"):
        Batches(split, 10, preprocessing=RAW)[3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be 1 or more. Received: batch_size=0"),
        ({"steps": 0}, "steps must be 1 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"epoch": 0}, "Epochs count from 1. Received: epoch=0"),
        ({"start": 4}, "start must be 0 to 3. Received: start=4"),
        ({"start": -1}, "start must be 0 to 3"),
        ({"shard": (2, 2)}, r"Received: shard=\(2, 2\), batch_size=10"),
        ({"shard": (0, 3)}, "must divide the batch size"),
        ({"batch_size": 30, "drop_remainder": True}, "25 images do not make one batch of 30"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(data.DataError, match=message):
        Batches(split_of(25), **{"batch_size": 10, "preprocessing": RAW, **arguments})


PREPROCESSINGS = [
    Preprocessing((6, 5, 3)),
    Preprocessing((4, 9, 1), resize="pad", scaling="-1..1"),
    Preprocessing((7, 7, 3), resize="crop", scaling="standardize", data_format="channels_first"),
]


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_streamed_equals_in_memory(make_folder, preprocessing, suffix):
    root = make_folder({"cat": 40, "dog": 30}, suffix=suffix)
    make_folder({"owl": 20}, size=(90, 40), suffix=suffix)
    results = []
    for memory in (None, 0):
        train = data.load(root, memory=memory).train
        batches = Batches(
            train, 16, preprocessing=preprocessing, shuffle=True, augmentation=Augmentation(shift=2)
        )
        assert batches.split.in_memory == (memory is None)
        results.append([*batches, batches[1]])
    assert len(results[0]) == 6
    for (x, y), (x2, y2) in zip(*results):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)


def test_shards_of_a_stream_may_have_no_rows(make_folder):
    train = data.load(make_folder({"cat": 3, "dog": 3}), validation="none", memory=0).train
    shards = [Batches(train, 3, preprocessing=RAW, shard=(i, 3)) for i in range(3)]
    assert [[len(y) for _, y in shard] for shard in shards] == [[1, 0], [1, 0], [1, 1]]


def test_arrays_too_large_to_resize_at_once_are_resized_as_they_come():
    digits = data.load("digits").train
    enlarged = Preprocessing((32, 32, 3))
    small = data.Split(ArrayImages(digits.array), digits.labels, digits.class_names, memory=10_000)
    whole, streamed = (Batches(s, 500, preprocessing=enlarged) for s in (digits, small))
    assert whole.split.array.shape == (1295, 32, 32, 3)
    assert streamed.split.image_shape == (8, 8, 1)
    for (x, _), (x2, _) in zip(whole, streamed):
        np.testing.assert_array_equal(x, x2)


@pytest.mark.parametrize("taken", [0, 1, 4])
def test_leaving_early_ends_the_reading_threads(make_folder, taken):
    root = make_folder({"cat": 20, "dog": 20})
    iterator = iter(Batches(data.load(root, memory=0).train, 4, preprocessing=RAW))
    for _ in range(taken):
        next(iterator)
    iterator.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("cnnblocks-data")]


def test_reading_ahead_is_bounded(make_folder, monkeypatch):
    dataset = data.load(make_folder({"cat": 60, "dog": 60}), memory=0)
    asked = []
    read = data.Split.read
    monkeypatch.setattr(
        data.Split, "read", lambda self, p, q: asked.append(len(p)) or read(self, p, q)
    )
    next(iter(Batches(dataset.train, 4, preprocessing=RAW)))
    assert sum(asked) <= 4 * 3


def test_a_set_larger_than_its_memory_streams_within_it(make_folder):
    root = make_folder({"cat": 100, "dog": 100}, size=(96, 96), suffix=".jpg")
    train = data.load(root, validation="none", memory=2_000_000).train
    preprocessing = Preprocessing((96, 96, 3))
    batches = Batches(train, 4, preprocessing=preprocessing, shuffle=True)
    preprocessing.scale(np.zeros((1, 96, 96, 3), np.uint8))
    decoded = len(train) * 96 * 96 * 3
    assert decoded > 4_000_000
    tracemalloc.start()
    try:
        rows = sum(len(labels) for _, labels in batches)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == len(train)
    assert peak < 2_500_000


def test_standardize_is_fitted_on_the_split():
    batches = Batches(
        data.load("digits").train,
        64,
        preprocessing=Preprocessing((16, 16, 3), scaling="standardize"),
    )
    assert len(batches.preprocessing.mean) == 3
    mean = np.concatenate([x for x, _ in batches]).mean()
    assert abs(mean) < 1e-4
    assert replace(batches.preprocessing, mean=None, std=None).mean is None


def test_progress_counts_to_the_end(make_folder):
    calls = []
    train = data.load(make_folder({"cat": 200, "dog": 200}), validation="none").train
    Batches(train, 8, preprocessing=RAW, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(256, 320), (320, 320)]
