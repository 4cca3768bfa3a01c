"""Decoded images kept on disk: faster, never wrong, never in the way."""

import os

import numpy as np
import pytest

from cnnblocks import data
from cnnblocks.data import cache

SMALL = data.Preprocessing((4, 4, 3))


@pytest.fixture
def root(make_folder):
    return make_folder({"cat": 320, "dog": 320}, size=(4, 4))


def prepare(root, preprocessing=SMALL):
    return data.load(root, validation="none").train.prepare(preprocessing).array


def files():
    return sorted(cache.directory().glob("*"))


def test_the_second_time_no_image_is_decoded(root, user_directories, monkeypatch):
    first = prepare(root)
    (kept,) = files()
    assert kept.parent == user_directories / "cache" / "data"
    monkeypatch.setattr(data.Split, "read", None)
    np.testing.assert_array_equal(prepare(root), first)


def test_changed_files_and_other_sizes_are_decoded_anew(root):
    first = prepare(root)
    path = data.load(root, validation="none").train.path(0)
    status = path.stat()
    other = data.load(root, validation="none").train.path(1)
    path.write_bytes(other.read_bytes())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
    second = prepare(root)
    np.testing.assert_array_equal(second[0], first[1])
    np.testing.assert_array_equal(second[1:], first[1:])
    assert prepare(root, data.Preprocessing((6, 6, 1))).shape == (512, 6, 6, 1)
    assert len(files()) == 3


@pytest.mark.parametrize("damage", [b"", b"no array", None])
def test_a_damaged_file_is_made_again(root, damage):
    first = prepare(root)
    (kept,) = files()
    content = kept.read_bytes()
    kept.write_bytes(content[:-100] if damage is None else damage)
    np.testing.assert_array_equal(prepare(root), first)
    assert kept.read_bytes() == content


def test_without_a_writable_directory_nothing_is_kept(root, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CNNBLOCKS_CACHE_DIR", str(tmp_path / "file"))
    assert prepare(root).shape == (512, 4, 4, 3)


def test_few_images_are_not_worth_keeping(make_folder):
    prepare(make_folder({"cat": 20, "dog": 20}))
    assert not files()


def test_what_was_unused_for_longest_goes_first(monkeypatch):
    images = np.zeros((10, 10, 10, 1), np.uint8)
    monkeypatch.setattr(cache, "LIMIT", 3500)
    for age, key in enumerate(["old", "older", "oldest"]):
        cache.write(key, images)
        os.utime(cache.directory() / f"{key}.npy", (1e9 - age, 1e9 - age))
    assert cache.read("older", np.empty_like(images))
    cache.write("new", images)
    assert [path.stem for path in files()] == ["new", "old", "older"]
    cache.write("huge", np.zeros(3501, np.uint8))
    assert len(files()) == 3


def test_a_file_that_went_away_is_named(root):
    train = data.load(root, validation="none").train
    train.path(5).unlink()
    with pytest.raises(data.DataError, match="is not there any more"):
        train.prepare(SMALL)
    with pytest.raises(data.DataError, match="is not there any more"):
        train.fingerprint()
