"""What a path is, found out by looking at it."""

from collections.abc import Callable
from pathlib import Path

from cnnblocks.errors import CnnblocksError
from cnnblocks.paths import expanded

WEIGHT_SUFFIXES = (".h5", ".hdf5", ".keras", ".txt", ".weights.json", ".ckpt", ".index", ".npz")


class OpeningError(CnnblocksError, ValueError):
    """A path that no screen can show."""


def holds(path: Path, test: Callable[[Path], bool]) -> bool:
    """Whether a test holds; it does not where the path may not be looked at."""
    try:
        return test(path)
    except OSError:
        return False


def kind_of(path: Path) -> tuple[str, Path]:
    """Which screen shows a path: `run`, `runs` or `weights`, and the path to give it.

    A run is a directory with a `config.json`, or a file in one that is not a weight file; a
    directory with runs in it is `runs`; a checkpoint of TensorFlow is named by its prefix.

    Raises:
        OpeningError: Nothing of that name exists, it may not be looked at, or nothing in it can
            be shown.
    """
    path = expanded(path).absolute()
    try:
        if path.is_dir():
            return _kind_of_directory(path)
        if path.is_file() or path.with_name(path.name + ".index").is_file():
            return "weights", path
    except OSError as error:
        raise OpeningError(f"{path} cannot be read: {error.strerror}.") from error
    raise OpeningError(f"Nothing exists at {path}. Name a run, a weight file or a directory.")


def _kind_of_directory(path: Path) -> tuple[str, Path]:
    if (path / "config.json").is_file():
        return "run", path
    if any(holds(entry / "config.json", Path.is_file) for entry in path.iterdir()):
        return "runs", path
    if weight_files(path):
        return "weights", path
    raise OpeningError(f"{path} holds no runs and no weight files.")


def weight_files(directory: Path) -> list[Path]:
    """The weight files of a directory, in natural order (`epoch-2` before `epoch-10`)."""
    try:
        entries = [entry for entry in directory.iterdir() if _is_weights(entry)]
    except OSError:
        return []
    return sorted(entries, key=_natural)


def newest(path: Path) -> Path:
    """The file itself, or a directory's last one.

    Raises:
        OpeningError: The directory holds no weight files.
    """
    if not holds(path, Path.is_dir):
        return path
    found = weight_files(path)
    if not found:
        raise OpeningError(f"{path} holds no weight files.")
    return found[-1]


def checkpoint_prefix(path: Path) -> Path:
    """The name by which a TensorFlow checkpoint is opened: without `.index`."""
    return path.with_suffix("") if path.suffix == ".index" else path


def _is_weights(path: Path) -> bool:
    if path.name.startswith(".") or not path.name.lower().endswith(WEIGHT_SUFFIXES):
        return False
    return holds(path, Path.is_file)


def _natural(path: Path) -> list[tuple[int, str]]:
    import re

    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
