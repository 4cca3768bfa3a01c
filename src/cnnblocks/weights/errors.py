"""The error that every reader of weight files raises."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnblocks.errors import CnnblocksError

# What h5py, HDF5, NumPy, `zipfile` and the operating system raise for damaged or missing files.
_READING_ERRORS = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class WeightFileError(CnnblocksError, ValueError):
    """A weight file cannot be read, or asks for something a weight file has no business asking.

    Args:
        path: the file.
        reason: what is wrong, and where there is one, what to do about it.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(f"{printable(str(path))}: {printable(reason)}")


def printable(text: str) -> str:
    """Return `text` on one line, with control characters shown as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into a `WeightFileError` that names it."""
    try:
        yield
    except CnnblocksError:
        raise
    except _READING_ERRORS as error:
        raise WeightFileError(path, _reason(error)) from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).strip("'\"") or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "there is no such file."
    if isinstance(error, PermissionError):
        return "no permission to read it."
    if "truncated file" in text:
        return f"the file was cut short, or is still being written ({text})."
    if "already open for write" in text:
        return f"a program is writing it, or died while doing so ({text})."
    if "closed file" in text or "identifier is not of specified type" in text:
        return "it was closed before its values were read; open it again."
    if "signature not found" in text:
        return "not an HDF5 file, or its beginning is damaged."
    if isinstance(error, OSError) and error.strerror and error.errno:
        return f"cannot be read: {error.strerror}."
    return f"damaged: {text.rstrip('.')}."
