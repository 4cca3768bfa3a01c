"""Paths as people type them."""

from pathlib import Path

import pytest

from cnnblocks import data, runs, weights
from cnnblocks.errors import CnnblocksError
from cnnblocks.paths import expanded

NOBODY = "~nobody-of-that-name/file.h5"


def test_the_home_directory_stands_for_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert expanded("~/runs") == tmp_path / "runs"
    assert expanded("a~b") == Path("a~b")


@pytest.mark.parametrize("read", [weights.open, data.load, runs.RunDirectory.open])
def test_a_name_that_no_user_has_is_told_with_what_to_do(read):
    with pytest.raises(CnnblocksError, match=r"the name of no user here\. Write \./~nobody"):
        read(NOBODY)
