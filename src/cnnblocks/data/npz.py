"""`.npz` files with Keras' keys."""

import zlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from cnnblocks.data.errors import DataError
from cnnblocks.data.memory import image_budget, readable
from cnnblocks.data.source import Part, Source, numbered, part_of_arrays

_PAIRS = {
    "train": (("x_train", "y_train"), ("x", "y")),
    "validation": (("x_val", "y_val"), ("x_validation", "y_validation")),
    "test": (("x_test", "y_test"),),
}


def read(path: Path, memory: int | None = None) -> Source:
    """Return the images of a `.npz` file.

    Its keys are `x_train` and `y_train`, or `x` and `y`; `x_test`, `y_test`, `x_val` and `y_val`
    are optional, and so is `class_names`.

    Args:
        path: The file.
        memory: How many bytes its arrays may take; `None` for half of what is free.

    Raises:
        DataError: The file is damaged, has other keys, is too large, or its arrays are no images
            with labels.
    """
    try:
        with ZipFile(path) as archive:
            _check_size(path, archive, memory)
        with np.load(path, allow_pickle=False) as arrays:
            return _source(path, arrays)
    except DataError:
        raise
    except (OSError, ValueError, EOFError, BadZipFile, NotImplementedError, zlib.error) as error:
        raise DataError(f"{path} cannot be read as .npz: {error}") from error


def _source(path: Path, arrays: np.lib.npyio.NpzFile) -> Source:
    parts = {name: _part(path, arrays, name) for name in _PAIRS}
    train = parts["train"]
    if train is None:
        raise DataError(
            f"{path} needs the keys x_train and y_train, or x and y. "
            f"It has: {', '.join(arrays.files) or 'none'}"
        )
    if "class_names" in arrays:
        names = tuple(str(name) for name in arrays["class_names"])
    else:
        names = numbered([part.labels for part in parts.values() if part is not None])
    return Source(
        name=path.stem,
        location=str(path),
        class_names=names,
        train=train,
        test=parts["test"],
        validation=parts["validation"],
    )


def _part(path: Path, arrays: np.lib.npyio.NpzFile, name: str) -> Part | None:
    for x, y in _PAIRS[name]:
        if x in arrays and y in arrays:
            return part_of_arrays(arrays[x], arrays[y], f"{path} ({x}, {y})")
    return None


def _check_size(path: Path, archive: ZipFile, memory: int | None) -> None:
    needed = sum(entry.file_size for entry in archive.infolist())
    budget = image_budget() if memory is None else memory
    if needed > budget:
        raise DataError(
            f"{path} takes {readable(needed)} in memory and {readable(budget)} may be used. "
            "A folder of image files is read piece by piece instead."
        )
