"""What Keras' `fit` reads the batches through."""

import keras
import numpy as np
import pytest

import cnnblocks
from cnnblocks.data import Augmentation, Batches, Preprocessing
from cnnblocks.training.input import BatchStream, feed


@pytest.fixture(params=[8, 64], ids="{0}x{0}".format)
def stream(request):
    """Of 13 batches: small ones go through a queue all at once, larger ones a few at a time."""
    batches = Batches(
        cnnblocks.data.load("digits").train,
        100,
        preprocessing=Preprocessing((request.param, request.param, 1)),
        augmentation=Augmentation(shift=1),
        shuffle=True,
    )
    return BatchStream(batches, one_hot=10)


def assert_equal(read, expected):
    for given, batch in zip(read, expected, strict=True):
        for ours, array in zip(given, batch, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(ours), array)


def test_it_gives_the_stream_epoch_after_epoch_and_from_the_middle_of_one(stream):
    read = feed(stream)
    first = list(stream)
    assert_equal(read, first)
    stream.at(2)
    second = list(stream)
    assert_equal(read, second)
    assert not np.array_equal(first[0][0], second[0][0])
    stream.at(1, start=len(first) - 2)
    assert_equal(feed(stream), first[-2:])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's queue")
def test_on_tensorflow_nothing_tunes_the_queue_and_its_length_is_known(stream):
    read = feed(stream)
    assert read.options().autotune.enabled is False
    assert int(read.cardinality()) == len(list(stream))
