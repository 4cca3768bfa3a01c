"""Choosing tensors by pattern, and files by directory or pattern."""

import glob
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from cnnblocks.errors import CnnblocksError
from cnnblocks.paths import expanded
from cnnblocks.weights.formats.checkpoint import find_prefix
from cnnblocks.weights.naming import natural
from cnnblocks.weights.table import Tensor

_SUFFIXES = (".h5", ".hdf5", ".keras", ".weights.json", ".index")


class SelectionError(CnnblocksError, LookupError):
    """Nothing, or more than one thing, is what was asked for."""


def select(tensors: Iterable[Tensor], patterns: Iterable[str]) -> list[Tensor]:
    """Return the tensors that a pattern matches by path, name, layer or role; all without one.

    Args:
        tensors: those to choose from.
        patterns: exact texts, or patterns with `*`, `?` and `[...]`.

    Raises:
        SelectionError: a pattern matches none.
    """
    given = list(tensors)
    wanted = list(patterns)
    if not wanted:
        return given
    chosen: set[int] = set()
    for pattern in wanted:
        found = {number for number, tensor in enumerate(given) if _matches(tensor, pattern)}
        if not found:
            raise SelectionError(f"No tensor matches '{pattern}'.{_suggestion(given, pattern)}")
        chosen |= found
    return [given[number] for number in sorted(chosen)]


def select_one(tensors: Iterable[Tensor], name: str) -> Tensor:
    """Return the one tensor with this path or name, or that this pattern matches.

    Args:
        tensors: those to choose from.
        name: a path, a name, or a pattern.

    Raises:
        SelectionError: none does, or several do.
    """
    given = list(tensors)
    for field in ("path", "name"):
        exact = [tensor for tensor in given if getattr(tensor, field) == name]
        if len(exact) == 1:
            return exact[0]
    found = select(given, [name])
    if len(found) > 1:
        names = ", ".join(tensor.path for tensor in found[:4])
        raise SelectionError(f"'{name}' is {len(found)} tensors: {names}... Name one of them.")
    return found[0]


def _matches(tensor: Tensor, pattern: str) -> bool:
    fields = (tensor.path, tensor.name, tensor.layer, tensor.role)
    return any(text == pattern or fnmatchcase(text, pattern) for text in fields)


def _suggestion(tensors: list[Tensor], pattern: str) -> str:
    known = {text for tensor in tensors for text in (tensor.name, tensor.layer, tensor.path)}
    close = get_close_matches(pattern, sorted(known), 3, 0.5)
    return f" Did you mean: {', '.join(close)}?" if close else " List them with: weights show"


def expand(places: Iterable[str]) -> list[Path]:
    """Return the weight files that paths, patterns and directories stand for.

    Files of a directory or a pattern come in natural order (`epoch-2` before `epoch-10`); of a
    sharded set its `.weights.json` alone, of a TensorFlow checkpoint its prefix.

    Args:
        places: as given on a command line.

    Raises:
        SelectionError: a pattern or a directory holds none.
    """
    return [file for place in places for file in _files(expanded(place), place)]


def _files(path: Path, place: str) -> list[Path]:
    if path.is_dir():
        return _in_directory(path)
    if path.exists() or find_prefix(path) is not None or not glob.has_magic(place):
        return [path]
    found = [Path(name) for name in glob.glob(str(path))]  # noqa: PTH207
    if not found:
        raise SelectionError(f"No file matches '{place}'.")
    return _in_order(found)


def _in_directory(directory: Path) -> list[Path]:
    files = [f for f in directory.iterdir() if f.name.endswith(_SUFFIXES) and f.is_file()]
    if not files:
        # A SavedModel, or nothing that is known: opening it tells.
        return [directory]
    return _in_order(files)


def _in_order(files: list[Path]) -> list[Path]:
    sets = {f.with_name(f.name.removesuffix(".weights.json")) for f in files}
    kept = {
        f.with_name(f.name.removesuffix(".index"))
        for f in files
        if not any(_is_shard(f, base) for base in sets) and ".data-" not in f.name
    }
    return sorted(kept, key=lambda f: natural(str(f)))


def _is_shard(file: Path, base: Path) -> bool:
    if not file.name.endswith(".weights.h5") or file.parent != base.parent:
        return False
    number = file.name.removesuffix(".weights.h5").removeprefix(f"{base.name}_")
    return len(number) == 5 and number.isdecimal()
