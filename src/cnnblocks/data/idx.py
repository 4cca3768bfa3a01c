"""Folders of IDX files, the format in which MNIST is published."""

import gzip
from pathlib import Path

import numpy as np

from cnnblocks.data.errors import DataError
from cnnblocks.data.memory import image_budget, readable
from cnnblocks.data.source import Part, Source, numbered, part_of_arrays

_UNSIGNED_BYTES = 8


def find(folder: Path) -> list[Path]:
    """Return the IDX files in a folder, such as `train-images-idx3-ubyte.gz`."""
    try:
        return sorted(path for path in folder.iterdir() if _is_idx(path.name))
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror}") from error


def read(folder: Path, memory: int | None = None) -> Source:
    """Return the images of a folder of IDX files, gzipped or not.

    The names are those of MNIST and its relatives: `train-images-idx3-ubyte`,
    `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, possibly
    with something before them and `.gz` after them. Classes are named by their numbers, or by the
    lines of a file `class_names.txt`.

    Args:
        folder: Where the files are.
        memory: How many bytes the images may take; `None` for half of what is free.

    Raises:
        DataError: A file is missing, damaged, or too large.
    """
    files = find(folder)
    train = _part(folder, files, ("train",), memory)
    if train is None:
        raise DataError(
            f"{folder} needs train-images-idx3-ubyte and train-labels-idx1-ubyte (.gz or not). "
            f"It has: {', '.join(path.name for path in files)}"
        )
    test = _part(folder, files, ("t10k", "test"), memory)
    labels = [part.labels for part in (train, test) if part is not None]
    return Source(
        name=folder.name,
        location=str(folder),
        class_names=_class_names(folder) or numbered(labels),
        train=train,
        test=test,
    )


def read_array(path: Path, memory: int | None = None) -> np.ndarray:
    """Return the array in an IDX file.

    Args:
        path: The file; gzipped if it begins as gzip does.
        memory: How many bytes it may take; `None` for half of what is free.

    Raises:
        DataError: The file is damaged, holds something else than unsigned bytes, or is too large.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as file:
            return _parse(path, file, memory)
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _parse(path: Path, file, memory: int | None) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != _UNSIGNED_BYTES or not magic[3]:
        raise DataError(
            f"{path} is no IDX file of unsigned bytes: it begins with {magic.hex(' ') or 'nothing'}"
        )
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise DataError(f"{path} is cut short: it ends in its header. Download it again.")
    shape = tuple(np.frombuffer(header, ">u4").tolist())
    size = int(np.prod(shape, dtype=object))
    budget = image_budget() if memory is None else memory
    if size > budget:
        raise DataError(
            f"{path} takes {readable(size)} in memory and {readable(budget)} may be used."
        )
    content = file.read(size)
    if len(content) < size:
        raise DataError(
            f"{path} is cut short: its header says {' x '.join(map(str, shape))} bytes, "
            f"it has {len(content)}. Download it again."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _part(
    folder: Path, files: list[Path], prefixes: tuple[str, ...], memory: int | None
) -> Part | None:
    images = [path for path in files if _matches(path.name, prefixes, "images")]
    labels = [path for path in files if _matches(path.name, prefixes, "labels")]
    if not images and not labels:
        return None
    for found, kind in ((images, "images"), (labels, "labels")):
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "none"
            raise DataError(
                f"{folder} needs exactly one file of {prefixes[0]} {kind}. It has: {names}"
            )
    return part_of_arrays(
        read_array(images[0], memory), read_array(labels[0], memory), str(images[0])
    )


def _is_idx(name: str) -> bool:
    return any(_matches(name, ("train", "t10k", "test"), kind) for kind in ("images", "labels"))


def _matches(name: str, prefixes: tuple[str, ...], kind: str) -> bool:
    stem = name.removesuffix(".gz").replace(".", "-")
    return any(f"{prefix}-{kind}-idx" in stem for prefix in prefixes)


def _class_names(folder: Path) -> tuple[str, ...]:
    path = folder / "class_names.txt"
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines()) if path.exists() else ()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
