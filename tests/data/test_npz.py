"""`.npz` files with Keras' keys."""

import numpy as np
import pytest

from cnnblocks import data


@pytest.fixture
def save(tmp_path):
    def write(**arrays):
        path = tmp_path / "set.npz"
        np.savez_compressed(path, **arrays)
        return path

    return write


def test_keras_keys(save, make_arrays):
    x, y = make_arrays(40, (8, 8))
    path = save(x_train=x[:30], y_train=y[:30, None], x_test=x[30:], y_test=y[30:])
    dataset = data.load(path, validation="none")
    assert dataset.name == "set"
    assert dataset.class_names == ("0", "1", "2", "3")
    np.testing.assert_array_equal(dataset.train.array, x[:30, ..., None])
    np.testing.assert_array_equal(dataset.test.labels, y[30:])


def test_pair_alone_has_a_share_held_out(save, make_arrays):
    x, y = make_arrays(40)
    dataset = data.load(save(x=x, y=y), validation="none")
    assert dataset.test.class_counts.tolist() == [2, 2, 2, 2]
    assert len(dataset.train) == 32


def test_own_validation_and_class_names(save, make_arrays):
    x, y = make_arrays(20, classes=2)
    path = save(x_train=x, y_train=y, x_val=x[:4], y_val=y[:4], class_names=["cat", "dog"])
    dataset = data.load(path)
    assert dataset.class_names == ("cat", "dog")
    assert len(dataset.validation) == 4


def test_accepted_forms_mean_the_same(save, make_arrays):
    x, y = make_arrays(20, (4, 5, 3), classes=2)
    expected = data.load(save(x=x, y=y)).train
    for images, labels in [
        (x.transpose(0, 3, 1, 2), y),
        (x.astype(np.int64), np.eye(2)[y]),
        (x.astype(np.float32), y.astype(np.float64)),
        (x / 255, y.astype(np.uint8)),
    ]:
        assert data.load(save(x=images, y=labels)).train.fingerprint() == expected.fingerprint()


X = np.zeros((8, 4, 4, 3), np.uint8)
Y = np.arange(8) % 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": X}, "needs the keys x_train and y_train, or x and y. It has: images"),
        ({"x": X, "y": Y[:7]}, "8 images but 7 labels"),
        ({"x": X[:0], "y": Y[:0]}, "no images"),
        ({"x": X.reshape(8, 48), "y": Y}, r"Received: \(8, 48\)"),
        ({"x": np.zeros((8, 4, 4, 7)), "y": Y}, r"1 or 3 channels. Received: \(8, 4, 4, 7\)"),
        ({"x": X - 1.5, "y": Y}, "pixels must be 0 to 255.*Received: -1.5"),
        ({"x": X + 300.0, "y": Y}, "pixels must be 0 to 255"),
        ({"x": X + np.nan, "y": Y}, "pixels must be 0 to 255"),
        ({"x": X.astype(str), "y": Y}, "pixels must be numbers"),
        ({"x": X, "y": Y * 0}, "one class only"),
        ({"x": X, "y": Y * 2}, "no training images for class 1"),
        (
            {"x": X, "y": Y - 1},
            "below the number of classes, 1. Received: -1 at position 0",
        ),
        ({"x": X, "y": Y + 0.5}, "labels must be whole numbers"),
        ({"x": X, "y": Y * 2**40}, "small whole numbers"),
        ({"x": X, "y": Y.astype(str)}, "labels must be whole numbers"),
        ({"x": X, "y": np.ones((8, 2))}, "or be one-hot"),
        ({"x": X, "y": Y, "class_names": ["a", "b", "c"]}, "no training images for class c"),
        ({"x": X, "y": Y + 1, "class_names": ["a", "b"]}, "below the number of classes, 2"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y + 1}, "no training images"),
        ({"x": np.array([None] * 8), "y": Y}, "cannot be read as .npz"),
    ],
)
def test_arrays_that_cannot_be_trained_on(save, arrays, message):
    with pytest.raises(data.DataError, match=message):
        data.load(save(**arrays))


def test_a_damaged_file(save):
    path = save(x=X, y=Y)
    content = bytearray(path.read_bytes())
    content[40:80] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(data.DataError, match=r"cannot be read as .npz"):
        data.load(path)


def test_more_than_memory_is_refused_before_it_is_read(save):
    with pytest.raises(data.DataError, match=r"384\.0 B|may be used.*folder of image files"):
        data.load(save(x=X, y=Y), memory=100)
