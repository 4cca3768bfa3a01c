"""Folders of IDX files."""

import numpy as np
import pytest

from cnnblocks import data


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("prefix", ["", "emnist-digits-"])
def test_plain_and_gzipped(tmp_path, write_idx, make_arrays, suffix, prefix):
    x, y = make_arrays(40, (7, 5))
    write_idx(tmp_path / f"{prefix}train-images-idx3-ubyte{suffix}", x[:30])
    write_idx(tmp_path / f"{prefix}train-labels-idx1-ubyte{suffix}", y[:30])
    write_idx(tmp_path / f"{prefix}t10k-images.idx3-ubyte{suffix}", x[30:])
    write_idx(tmp_path / f"{prefix}t10k-labels.idx1-ubyte{suffix}", y[30:])
    dataset = data.load(tmp_path, validation="none")
    assert dataset.image_shape == (7, 5, 1)
    assert dataset.class_names == ("0", "1", "2", "3")
    np.testing.assert_array_equal(dataset.train.array[..., 0], x[:30])
    np.testing.assert_array_equal(dataset.test.labels, y[30:])


@pytest.fixture
def folder(tmp_path, write_idx, make_arrays):
    x, y = make_arrays(40, (6, 6))
    write_idx(tmp_path / "train-images-idx3-ubyte", x)
    write_idx(tmp_path / "train-labels-idx1-ubyte", y)
    return tmp_path


def test_without_test_files_a_share_is_held_out(folder):
    assert data.load(folder).test.class_counts.tolist() == [2, 2, 2, 2]


def test_class_names_that_are_no_text(folder):
    (folder / "class_names.txt").write_bytes(b"\xe4\n")
    with pytest.raises(data.DataError, match=r"class_names\.txt cannot be read"):
        data.load(folder)


def test_class_names_beside_the_files(folder):
    (folder / "class_names.txt").write_text("one\ntwo\nthree and four\nfive\n")
    assert data.load(folder).class_names == ("one", "two", "three and four", "five")


def test_labels_missing(folder):
    (folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(data.DataError, match=r"exactly one file of train labels. It has: none"):
        data.load(folder)


def test_two_files_of_a_kind(folder):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(data.DataError, match=r"It has: train-labels-idx1-ubyte, .*\.gz"):
        data.load(folder)


def test_only_test_files(folder):
    for path in folder.iterdir():
        path.rename(path.with_name(path.name.replace("train", "t10k")))
    with pytest.raises(data.DataError, match="needs train-images-idx3-ubyte"):
        data.load(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-1], "cut short"),
        (lambda content: content[:9], "cut short"),
        (lambda content: b"", "begins with nothing"),
        (lambda content: b"\0\0\x0d\x03" + content[4:], "begins with 00 00 0d 03"),
        (lambda content: b"\x1f\x8b" + content, "cannot be read"),
        (lambda content: content[:4] + b"\xff" * 12, "may be used"),
    ],
)
def test_damaged_files(folder, damage, message):
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(data.DataError, match=message):
        data.load(folder)


def test_different_numbers_of_images_and_labels(folder, write_idx):
    write_idx(folder / "train-labels-idx1-ubyte", np.zeros(39))
    with pytest.raises(data.DataError, match="40 images but 39 labels"):
        data.load(folder)
