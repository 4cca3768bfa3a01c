"""Decoded images kept on disk, so that the next run on the same folder starts at once.

Nothing here ever stops anybody: a cache that cannot be read or written is as good as none.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

LIMIT = 4 * 2**30
_SPARE = 4  # so many times its size must be free on the disk before a file is written


def directory() -> Path:
    """Return where the files are: `data/` in `CNNBLOCKS_CACHE_DIR`, else the user's own cache."""
    chosen = os.environ.get("CNNBLOCKS_CACHE_DIR")
    return (Path(chosen) if chosen else user_cache_path("cnnblocks", appauthor=False)) / "data"


def read(key: str, into: np.ndarray) -> bool:
    """Fill an array with the images kept under `key`; return whether there are such."""
    path = _path(key)
    try:
        kept = np.load(path, mmap_mode="r", allow_pickle=False)
        if kept.shape != into.shape or kept.dtype != into.dtype:
            return False
        into[...] = kept
        os.utime(path)  # what was used last is dropped last
    except (OSError, ValueError, EOFError):
        return False
    return True


def write(key: str, images: np.ndarray) -> None:
    """Keep images under `key`; drop those unused for longest if all take more than `LIMIT`."""
    with contextlib.suppress(OSError):
        directory().mkdir(parents=True, exist_ok=True)
        if images.nbytes > LIMIT or shutil.disk_usage(directory()).free < _SPARE * images.nbytes:
            return
        _write_aside(_path(key), images)
        _drop_oldest()


def _path(key: str) -> Path:
    return directory() / f"{key}.npy"


def _write_aside(path: Path, images: np.ndarray) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            np.save(file, images)
        except OSError:
            file.close()
            Path(file.name).unlink()
            raise
    Path(file.name).replace(path)


def _drop_oldest() -> None:
    files = [(path, path.stat()) for path in directory().iterdir()]
    files.sort(key=lambda entry: entry[1].st_mtime, reverse=True)
    kept = 0
    for path, status in files:
        kept += status.st_size
        if kept > LIMIT:
            path.unlink()
