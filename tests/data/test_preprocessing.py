"""From any image to a network's input, the same way everywhere."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnnblocks import data
from cnnblocks.data import Preprocessing

sides = st.integers(1, 24)
preprocessings = st.builds(
    Preprocessing,
    st.tuples(sides, sides, st.sampled_from([1, 3])),
    resize=st.sampled_from(["stretch", "pad", "crop"]),
    scaling=st.sampled_from(["0..1", "-1..1", "raw"]),
    data_format=st.sampled_from(["channels_last", "channels_first"]),
)
modes = st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])


@given(preprocessings, modes, sides, sides, st.integers(0, 2**32 - 1))
def test_any_image_gets_shape_and_range(preprocessing, mode, height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = (
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(pixels).convert(mode)
    )
    result = preprocessing(image)
    h, w, c = preprocessing.input_shape
    first = preprocessing.data_format == "channels_first"
    assert result.shape == ((1, c, h, w) if first else (1, h, w, c))
    assert result.dtype == np.float32
    low, high = {"0..1": (0, 1), "-1..1": (-1, 1), "raw": (0, 255)}[preprocessing.scaling]
    assert low <= result.min() and result.max() <= high


@given(preprocessings)
def test_plain_data_round_trip(preprocessing):
    text = json.dumps(preprocessing.to_dict())
    assert Preprocessing.from_dict(json.loads(text)) == preprocessing


@given(preprocessings, st.integers(1, 5), sides, sides, st.sampled_from([1, 3]))
def test_a_batch_equals_its_images_one_by_one(preprocessing, count, height, width, channels):
    images = np.random.default_rng(0).integers(
        0, 256, (count, height, width, channels), dtype=np.uint8
    )
    together = preprocessing(images)
    np.testing.assert_array_equal(together, np.concatenate([preprocessing(i) for i in images]))
    pictures = [Image.fromarray(i[..., 0] if channels == 1 else i) for i in images]
    np.testing.assert_array_equal(together, preprocessing(pictures))


def test_values():
    image = np.array([[0, 51, 255]], np.uint8)
    for scaling, expected in {
        "0..1": [0, 0.2, 1],
        "-1..1": [-1, -0.6, 1],
        "raw": [0, 51, 255],
    }.items():
        result = Preprocessing((1, 3, 1), scaling=scaling)(image)
        np.testing.assert_allclose(result.ravel(), expected, atol=1e-6)


def test_grey_is_pillows():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    ours = Preprocessing((64, 64, 1)).fit_size(pixels)[0, ..., 0]
    np.testing.assert_array_equal(ours, np.asarray(Image.fromarray(pixels).convert("L")))


def test_resizing_modes_keep_what_they_promise():
    image = np.zeros((10, 20, 1), np.uint8)
    image[:, 5:15] = 200  # a bright square in the middle
    stretched, padded, cropped = (
        Preprocessing((10, 10, 1), resize=resize).fit_size(image)[0, ..., 0]
        for resize in ("stretch", "pad", "crop")
    )
    assert stretched[5, 5] == 200 and stretched[5, 0] == 0
    assert padded[0].max() == padded[-1].max() == 0 and padded[5, 5] == 200
    assert cropped.min() == 200


def test_standardize_measures_the_training_images():
    train = data.load("digits").train
    preprocessing = Preprocessing((8, 8, 1), scaling="standardize").fit(train)
    assert preprocessing.mean == pytest.approx([train.array.mean() / 255])
    assert preprocessing.std == pytest.approx([train.array.std() / 255])
    scaled = preprocessing(train.array)
    assert abs(scaled.mean()) < 1e-4 and abs(scaled.std() - 1) < 1e-4
    assert preprocessing.fit(data.load("digits").test) is preprocessing
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing


def test_standardize_is_per_channel_and_survives_a_flat_one(make_arrays):
    x, y = make_arrays(40, (4, 4, 3))
    x[..., 1] = 7
    split = data.Split(data.images.ArrayImages(x), y, "abcd")
    scaled = Preprocessing((4, 4, 3), scaling="standardize").fit(split)(x)
    np.testing.assert_allclose(scaled.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std((0, 1, 2)), [1, 0, 1], atol=1e-4)


def test_standardize_before_measuring():
    with pytest.raises(data.DataError, match=r"Call fit\(split\) first"):
        Preprocessing((8, 8, 1), scaling="standardize")(np.zeros((8, 8, 1), np.uint8))


def test_channels_first_is_a_transpose():
    image = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    last, first = (
        Preprocessing((5, 4, 3), data_format=f)(image) for f in ("channels_last", "channels_first")
    )
    np.testing.assert_array_equal(first, last.transpose(0, 3, 1, 2))
    assert first.flags.c_contiguous


def test_paths_and_mixtures(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    preprocessing = Preprocessing((4, 4, 3))
    result = preprocessing([path, str(path), Image.open(path), pixels])
    assert result.shape == (4, 4, 4, 3)
    for row in result[1:]:
        np.testing.assert_array_equal(row, result[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (8, 8)}, r"Received: input_shape=\(8, 8\)"),
        ({"input_shape": (8, 8, 4)}, "1 or 3 channels"),
        ({"input_shape": (0, 8, 1)}, "input_shape must be"),
        ({"input_shape": (None, 8, 1)}, "input_shape must be"),
        ({"resize": "zoom"}, "resize must be one of stretch, pad, crop. Received: resize='zoom'"),
        ({"scaling": "0..2"}, "scaling must be one of"),
        ({"data_format": "NCHW"}, "data_format must be one of"),
        ({"mean": (0.5, 0.5)}, r"one number for each of the 1 channels. Received: mean=\(0.5"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(data.DataError, match=message):
        Preprocessing(**{"input_shape": (8, 8, 1), **arguments})


@pytest.mark.parametrize(
    "image",
    [np.zeros((8, 8, 1), np.float32), np.zeros((8, 8, 2), np.uint8), np.zeros(8, np.uint8)],
)
def test_wrong_arrays(image):
    with pytest.raises(data.DataError, match="An image is a uint8 array of shape"):
        Preprocessing((8, 8, 1))(image)


def test_foreign_and_newer_dictionaries():
    with pytest.raises(data.DataError, match="newer cnnblocks"):
        Preprocessing.from_dict({"schema": 2, "input_shape": [8, 8, 1]})
    with pytest.raises(data.DataError, match="no preprocessing that cnnblocks saved"):
        Preprocessing.from_dict({"input_shape": [8, 8, 1], "colour": "red"})
    with pytest.raises(data.DataError, match="no preprocessing that cnnblocks saved"):
        Preprocessing.from_dict({})
