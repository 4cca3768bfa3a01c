"""Where runs live, and the index that finds those started elsewhere."""

import os
from contextlib import suppress
from pathlib import Path

import platformdirs

from cnnblocks.paths import expanded
from cnnblocks.runs.errors import RunError
from cnnblocks.runs.events import EventTail, EventWriter

CONFIG = "config.json"


def runs_directory(runs_dir: str | os.PathLike | None = None) -> Path:
    """The directory that holds runs: `runs_dir`, else `$CNNBLOCKS_RUNS_DIR`, else `./runs`."""
    return expanded(runs_dir or os.environ.get("CNNBLOCKS_RUNS_DIR") or "runs").absolute()


def user_directories() -> dict[str, Path]:
    """This user's directories by kind: `cache`, `state` and `config`.

    Each is the platform's own unless `CNNBLOCKS_CACHE_DIR`, `CNNBLOCKS_STATE_DIR` or
    `CNNBLOCKS_CONFIG_DIR` names another. None of them need exist.
    """
    platform = platformdirs.PlatformDirs("cnnblocks", appauthor=False)
    usual = {
        "cache": platform.user_cache_path,
        "state": platform.user_state_path,
        "config": platform.user_config_path,
    }
    named = {kind: os.environ.get(f"CNNBLOCKS_{kind.upper()}_DIR") for kind in usual}
    return {kind: Path(named[kind] or path) for kind, path in usual.items()}


def state_directory() -> Path:
    """The directory for what is to be remembered; see `user_directories`."""
    return user_directories()["state"]


def index_path() -> Path:
    """The file that lists every run of this user, wherever it was started."""
    return state_directory() / "runs.jsonl"


def is_run(path: str | os.PathLike) -> bool:
    """Whether a directory is a run's; one that may not be looked into is not."""
    try:
        return (Path(path) / CONFIG).is_file()
    except PermissionError:
        return False


def runs_in(runs_dir: str | os.PathLike) -> list[Path]:
    """The run directories in a directory, in the order of their names (which begin with a time).

    Raises:
        RunError: The directory is there and may not be read.
    """
    try:
        entries = sorted(Path(runs_dir).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"The runs in {runs_dir} cannot be listed: {error.strerror}.") from error
    return [path for path in entries if path.name[0] != "." and is_run(path)]


def add_to_index(run: Path) -> None:
    """Remember where a run is; a state directory that cannot be written is no reason to stop."""
    with suppress(OSError):
        index_path().parent.mkdir(parents=True, exist_ok=True)
        with EventWriter(index_path()) as index:
            index.write("run", path=str(run))


def indexed_runs() -> list[Path]:
    """Every run in the index that is still there, each once, in the order they were started."""
    tail = EventTail(index_path())
    paths: dict[Path, None] = {}
    while entries := tail.poll():
        paths.update({Path(entry["path"]): None for entry in entries if "path" in entry})
    return [path for path in paths if is_run(path)]


def all_runs(runs_dir: str | os.PathLike | None = None) -> list[Path]:
    """The runs of the index and of the runs directory, each once, in the order of their names."""
    everywhere = dict.fromkeys([*indexed_runs(), *runs_in(runs_directory(runs_dir))])
    return sorted(everywhere, key=lambda path: (path.name, path))
