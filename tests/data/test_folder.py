"""Folders of images, one folder a class."""

import shutil

import numpy as np
import pytest
from PIL import Image

from cnnblocks import data

SMALL = data.Preprocessing((4, 4, 3))


def test_train_and_test_folders(make_folder):
    root = make_folder({"train/dog": 10, "train/cat": 20, "test/cat": 3, "test/dog": 4})
    dataset = data.load(root)
    assert dataset.name == "pets"
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train.class_counts.tolist() == [18, 9]
    assert dataset.validation.class_counts.tolist() == [2, 1]
    assert dataset.test.class_counts.tolist() == [3, 4]
    assert dataset.image_shape == (8, 6, 3)
    assert dataset.test.path(0).parent.name == "cat"
    assert not dataset.train.in_memory


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_own_validation_folder(make_folder, name):
    root = make_folder({"train/cat": 5, "train/dog": 5, f"{name}/cat": 2, "test/dog": 1})
    dataset = data.load(root)
    assert dataset.train.class_counts.tolist() == [5, 5]
    assert dataset.validation.class_counts.tolist() == [2, 0]
    assert "no validation images of dog" in dataset.notes
    assert "no test images of cat" in dataset.notes


def test_classes_alone_have_a_share_held_out(make_folder):
    dataset = data.load(make_folder({"cat": 10, "dog": 20, "owl": 1}), validation="none")
    assert dataset.test.class_counts.tolist() == [2, 4, 0]
    assert dataset.train.class_counts.tolist() == [8, 16, 1]
    assert "held out" in dataset.notes[0]


def test_deeper_hidden_and_foreign_files(make_folder):
    root = make_folder({"cat": 5, "cat/more": 5, "dog": 10, ".cache": 3, "__MACOSX/cat": 2})
    (root / "dog" / "Thumbs.db").write_bytes(b"x")
    (root / "dog" / "._000.png").write_bytes(b"x")
    (root / "README.txt").write_text("hello")
    dataset = data.load(root, validation="none")
    assert dataset.class_names == ("cat", "dog")
    assert len(dataset.train) + len(dataset.test) == 20


def test_order_does_not_depend_on_the_file_system(make_folder):
    first = make_folder({"b": 12, "a": 12}, name="one")
    second = first.with_name("two")
    for path in sorted(first.rglob("*.png"), reverse=True):
        target = second / path.relative_to(first)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    one, two = data.load(first), data.load(second)
    assert one.train.fingerprint() == two.train.fingerprint()
    x1, y1 = data.Batches(one.train, 8, preprocessing=SMALL, shuffle=True)[0]
    x2, y2 = data.Batches(two.train, 8, preprocessing=SMALL, shuffle=True)[0]
    np.testing.assert_array_equal(x1, x2)
    np.testing.assert_array_equal(y1, y2)


def test_sizes_and_modes_may_differ(make_folder):
    root = make_folder({"cat": 4})
    make_folder({"dog": 4}, size=(5, 9), mode="L")
    dataset = data.load(root)
    assert dataset.image_shape == (None, None, 3)
    images, _ = data.Batches(dataset.train, 2, preprocessing=SMALL)[0]
    assert images.shape == (2, 4, 4, 3)


def test_only_grey_images_are_one_channel(make_folder):
    assert data.load(make_folder({"cat": 5, "dog": 5}, mode="L")).image_shape == (8, 6, 1)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "has no images. Expected train/<class>/"),
        ({"cat": 3, "dog": 0}, "no images in class dog. Add some or remove the folder"),
        ({"cat": 3}, "has one class only .cat."),
        ({"train/cat": 3, "train/dog": 3, "test/owl": 1}, "training images lack: owl"),
        ({"test/cat": 3, "test/dog": 3}, "no train folder beside it"),
        ({"train/a": 1, "training/a": 1}, "both train and training"),
        ({"cat": 1, "dog": 1}, "too few images to set any apart for the test"),
        ({"train/a": 1, "train/b": 1, "test/a": 1}, "too few to hold out 10% for validation"),
    ],
)
def test_folders_that_cannot_be_trained_on(make_folder, tmp_path, counts, message):
    (tmp_path / "pets").mkdir() if not counts else None
    with pytest.raises(data.DataError, match=message):
        data.load(make_folder(counts))


def test_images_outside_classes(make_folder):
    root = make_folder({".": 3})
    with pytest.raises(data.DataError, match=r"lie directly in .* one folder for each class"):
        data.load(root)


def test_the_tail_of_a_folder_is_refused(make_folder):
    root = make_folder({"train/a": 9, "train/b": 1, "test/a": 2})
    with pytest.raises(data.DataError, match="none of class b is left"):
        data.load(root, validation="tail")


class TestCorrupt:
    """An image that cannot be read stops with its path, or is skipped and counted."""

    @pytest.fixture
    def folder(self, make_folder):
        root = make_folder({"train/cat": 100, "train/dog": 100, "test/cat": 2, "test/dog": 2})
        self.cut = root / "train" / "cat" / "033.png"
        self.cut.write_bytes(self.cut.read_bytes()[:60])
        self.text = root / "test" / "dog" / "001.png"
        self.text.write_text("no image")
        return root

    def test_stops_with_the_path_before_training(self, folder):
        self.text.unlink()
        dataset = data.load(folder, validation="none")
        with pytest.raises(data.DataError, match=r"033\.png"):
            data.Batches(dataset.train, 8, preprocessing=SMALL)

    def test_stops_with_the_path_while_streaming(self, folder):
        self.text.unlink()
        dataset = data.load(folder, validation="none", memory=0)
        batches = data.Batches(dataset.train, 8, preprocessing=SMALL)
        with pytest.raises(data.DataError, match=r"033\.png"):
            list(batches)

    def test_stops_at_once_if_among_those_looked_at_first(self, folder):
        with pytest.raises(data.DataError, match=r"001\.png is not an image"):
            data.load(folder)

    @pytest.mark.parametrize("memory", [None, 0])
    def test_skipped_and_counted(self, folder, memory):
        dataset = data.load(folder, on_corrupt="skip", memory=memory)
        assert sorted(dataset.skipped) == sorted([str(self.cut), str(self.text)])
        assert len(dataset.train) + len(dataset.validation) == 199
        assert dataset.test.class_counts.tolist() == [2, 1]
        for split in dataset.splits.values():
            rows = sum(len(y) for _, y in data.Batches(split, 16, preprocessing=SMALL))
            assert rows == len(split)

    def test_a_class_of_corrupt_images_only(self, make_folder):
        root = make_folder({"train/cat": 5, "train/dog": 1, "test/cat": 1})
        (root / "train" / "dog" / "000.png").write_text("no image")
        with pytest.raises(data.DataError, match="no training images for class dog"):
            data.load(root, on_corrupt="skip")

    def test_nothing_but_corrupt_images(self, make_folder):
        root = make_folder({"cat": 1, "dog": 1})
        for path in root.rglob("*.png"):
            path.write_text("no image")
        with pytest.raises(data.DataError, match="not one image can be read"):
            data.load(root, on_corrupt="skip")


def test_the_fingerprint_notices_a_changed_image(make_folder):
    root = make_folder({"cat": 9, "dog": 9})
    before = data.load(root).train.fingerprint()
    path = data.load(root).train.path(0)
    Image.new("RGB", (8, 6)).save(path)
    assert data.load(root).train.fingerprint() != before


def test_a_file_that_goes_away(make_folder):
    dataset = data.load(make_folder({"cat": 9, "dog": 9}), memory=0)
    dataset.train.path(3).unlink()
    with pytest.raises(data.DataError, match="There is no image file"):
        list(data.Batches(dataset.train, 4, preprocessing=SMALL))
