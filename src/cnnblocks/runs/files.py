"""Small files that are either the old one or the new one, whatever happens in between."""

import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from cnnblocks.runs.errors import NewerSchemaError, RunError

SCHEMA = 1
"""The version of everything in a run directory; a reader refuses a later one."""

_TEMPORARY = ".writing-"
_serial = count()


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A path to write beside `path`, which takes its place when the block ends without an error.

    The new file reaches the disk before it is renamed, and the renaming before this returns, so a
    crash or a power cut leaves the old file or the new one. The temporary name keeps the suffix of
    `path`, which writers such as `model.save_weights` look at.

    Args:
        path: The file to replace or create; its directory must exist.

    Raises:
        OSError: The disk is full, or the directory is read-only or gone; `path` is as it was.

    Example:

        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> with replacing(target) as aside:
        ...     _ = aside.write_text("1 2 3")
        >>> target.read_text()
        '1 2 3'
    """
    path = Path(path)
    aside = path.with_name(f"{_TEMPORARY}{os.getpid()}-{next(_serial)}-{path.name}")
    try:
        yield aside
        _flush(aside)
        _replace(aside, path)
        _flush(path.parent)
    finally:
        with suppress(OSError):
            aside.unlink()


def write_text(path: str | os.PathLike, text: str) -> None:
    """Replace a text file (UTF-8) as a whole; see `replacing`."""
    with replacing(path) as aside:
        aside.write_bytes(text.encode())


def write_json(path: str | os.PathLike, content: dict[str, Any]) -> None:
    """Replace a JSON file as a whole; see `as_json`."""
    write_text(path, as_json(content))


def as_json(content: dict[str, Any]) -> str:
    """An object as the text of a JSON file, with the schema's version as its first entry."""
    return json.dumps(plain({"schema": SCHEMA, **content}), indent=2, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """`value` as JSON can hold it.

    Numbers that are not finite become `None`, those of other libraries (numpy's, a tensor's
    scalar) Python's own, paths text.
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | int) or value is None:
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if not isinstance(value, float) and hasattr(value, "item"):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """Read a JSON object of a run directory.

    Raises:
        RunError: The file is missing, unreadable, or not a JSON object.
        NewerSchemaError: A later version of cnnblocks wrote it.
    """
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise RunError(f"Cannot read {path}: {error.strerror or error}.") from None
    except ValueError as error:
        raise RunError(f"{path} is damaged: it is not JSON ({error}).") from None
    if not isinstance(content, dict):
        found = type(content).__name__
        raise RunError(f"{path} is damaged: expected a JSON object, found a {found}.")
    check_schema(content, path)
    return content


def check_schema(content: dict[str, Any], path: str | os.PathLike) -> None:
    """Raise `NewerSchemaError` when `content` was written by a later version than this one."""
    schema = content.get("schema", SCHEMA)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise NewerSchemaError(
            f"{path} has schema {schema}, and this version of cnnblocks reads up to {SCHEMA}. "
            "A newer cnnblocks wrote it: pip install --upgrade cnnblocks"
        )


def remove_leftovers(directory: str | os.PathLike) -> None:
    """Delete what a process that died while writing left beside its files."""
    for path in Path(directory).glob(f"{_TEMPORARY}*"):
        with suppress(OSError):
            path.unlink()


def _flush(path: Path) -> None:
    """Wait until a file, or a directory's names, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(aside: Path, path: Path) -> None:
    """Rename over `path`; Windows refuses while somebody is reading it, so try again there."""
    attempts = 50 if os.name == "nt" else 1
    for attempt in range(attempts):
        try:
            aside.replace(path)
            return
        except PermissionError:
            if attempt == attempts - 1:
                raise
            time.sleep(0.02)
