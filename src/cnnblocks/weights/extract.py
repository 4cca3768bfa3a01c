"""Taking tensors out of weight files, into files that any program reads."""

import csv
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np

from cnnblocks.errors import CnnblocksError
from cnnblocks.weights.formats import text
from cnnblocks.weights.naming import numbered
from cnnblocks.weights.table import Tensor


class ExtractError(CnnblocksError, ValueError):
    """The tensors do not go into the file that was asked for."""


def extract(tensors: list[Tensor], path: str | Path) -> None:
    """Write tensors to a file whose suffix tells the format; bfloat16 becomes float32.

    Args:
        tensors: which.
        path: `.npz` (any number of tensors, keyed by their paths, of which repeated ones are
            numbered), `.npy` (one tensor), `.csv`
            (one tensor: a row for every step along all axes but the last, led by its indices if
            there are more than two axes) or `.txt` (a text dump). The file appears only when it
            is complete, and replaces one that is there.

    Raises:
        ExtractError: the suffix is another, or the format holds one tensor only.
        WeightFileError: values cannot be read.

    Example:

        >>> with weights.open("model.h5") as table:
        ...     weights.extract(table.weights, "model.npz")
    """
    target = Path(path)
    write = _WRITERS.get(target.suffix)
    if write is None:
        raise ExtractError(
            f"Expected a file ending in {', '.join(_WRITERS)}. Received: '{target.name}'"
        )
    if target.suffix in (".npy", ".csv") and len(tensors) != 1:
        raise ExtractError(
            f"A {target.suffix} file holds one tensor, {len(tensors)} were chosen; name one, or "
            "write a .npz."
        )
    with _replacing(target) as partial:
        write(tensors, partial)


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(target.suffix, ".partial-", target.parent)
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o666 & ~_umask())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_npz(tensors: list[Tensor], path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for tensor, key in zip(tensors, numbered([tensor.path for tensor in tensors])):
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, tensor.read())


def _write_npy(tensors: list[Tensor], path: Path) -> None:
    np.save(path, tensors[0].read())


def _write_csv(tensors: list[Tensor], path: Path) -> None:
    values = tensors[0].read()
    names = list(tensors[0].axes) or [f"axis{axis}" for axis in range(values.ndim)]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if values.ndim < 3:
            writer.writerows(values.reshape(values.shape[0] if values.ndim else 1, -1).tolist())
            return
        writer.writerow([*names[:-1], *(f"{names[-1]}{n}" for n in range(values.shape[-1]))])
        for index in product(*(range(size) for size in values.shape[:-1])):
            writer.writerow([*index, *values[index].tolist()])


def _write_text(tensors: list[Tensor], path: Path) -> None:
    text.write(path, ((tensor.name, tensor.read()) for tensor in tensors))


_WRITERS: dict[str, Callable[[list[Tensor], Path], None]] = {
    ".npz": _write_npz,
    ".npy": _write_npy,
    ".csv": _write_csv,
    ".txt": _write_text,
}
