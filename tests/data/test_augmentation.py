"""Random changes are small, repeatable and leave what they do not touch alone."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnblocks.data import Augmentation, DataError

augmentations = st.builds(
    Augmentation,
    shift=st.integers(0, 6),
    flip=st.booleans(),
    cutout=st.integers(0, 12),
    border=st.sampled_from(["constant", "edge", "reflect"]),
    fill=st.integers(0, 255),
)
shapes = st.tuples(st.integers(0, 5), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
batches = st.builds(
    lambda shape, order: np.asarray(rng().integers(0, 256, shape, dtype=np.uint8), order=order),
    shapes,
    st.sampled_from("CF"),
)


def rng():
    return np.random.default_rng(5)


@given(augmentations, batches)
def test_shape_dtype_and_input_are_kept(augmentation, images):
    before = images.copy()
    result = augmentation(images, rng())
    assert result.shape == images.shape and result.dtype == np.uint8
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(result, augmentation(images, rng()))
    assert not np.shares_memory(result, images)


@given(augmentations, batches, st.integers(0, 5), st.integers(0, 5))
def test_part_of_a_batch_is_changed_as_in_the_whole(augmentation, images, start, stop):
    draw = augmentation.draw(len(images), images.shape[1:3], rng())
    rows = slice(start, stop)
    np.testing.assert_array_equal(
        augmentation.apply(images[rows], draw[rows]), augmentation.apply(images, draw)[rows]
    )


@given(augmentations)
def test_plain_data_round_trip(augmentation):
    assert Augmentation.from_dict(json.loads(json.dumps(augmentation.to_dict()))) == augmentation


def test_nothing_asked_changes_nothing():
    images = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    assert not Augmentation()
    np.testing.assert_array_equal(Augmentation()(images, rng()), images)


def test_shift_moves_every_image_as_drawn():
    images = np.random.default_rng(0).integers(1, 256, (50, 8, 8, 3), dtype=np.uint8)
    augmentation = Augmentation(shift=2)
    draw = augmentation.draw(50, (8, 8), rng())
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    for image, source, (y, x) in zip(augmentation.apply(images, draw), padded, draw.shifts):
        np.testing.assert_array_equal(image, source[2 + y : 10 + y, 2 + x : 10 + x])
    assert {tuple(shift) for shift in draw.shifts.tolist()} > {(0, 0), (2, 2)} or len(
        np.unique(draw.shifts)
    ) == 5


def test_flip_mirrors_about_half():
    images = np.random.default_rng(0).integers(0, 256, (400, 3, 5, 3), dtype=np.uint8)
    result = Augmentation(flip=True)(images, rng())
    mirrored = (result == images[:, :, ::-1]).all((1, 2, 3))
    same = (result == images).all((1, 2, 3))
    assert np.all(mirrored ^ same)
    assert 150 < mirrored.sum() < 250


def test_cutout_blanks_one_square_at_most():
    images = np.full((100, 16, 16, 3), 9, np.uint8)
    result = Augmentation(cutout=5, fill=77)(images, rng())
    blank = (result == 77).all(-1)
    assert np.all((result == 9).all(-1) ^ blank)
    counts = blank.sum((1, 2))
    assert counts.max() == 25 and counts.min() >= 9


@pytest.mark.parametrize(("border", "expected"), [("constant", 40), ("edge", 1), ("reflect", 2)])
def test_borders(border, expected):
    images = np.arange(1, 4, dtype=np.uint8).reshape(1, 1, 3, 1)
    augmentation = Augmentation(shift=1, border=border, fill=40)
    draw = augmentation.draw(1, (1, 3), rng())
    draw.shifts[:] = [0, -1]
    assert augmentation.apply(images, draw).ravel().tolist() == [expected, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shift": -1}, "shift must be 0 or more. Received: shift=-1"),
        ({"cutout": -2}, "cutout must be 0 or more"),
        ({"fill": 256}, "fill must be 0 to 255. Received: fill=256"),
        ({"border": "wrap"}, "border must be one of constant, edge, reflect"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(DataError, match=message):
        Augmentation(**arguments)


def test_foreign_dictionaries():
    with pytest.raises(DataError, match="newer"):
        Augmentation.from_dict({"schema": 2})
    with pytest.raises(DataError, match="no augmentation that cnnblocks knows"):
        Augmentation.from_dict({"rotate": 3})
