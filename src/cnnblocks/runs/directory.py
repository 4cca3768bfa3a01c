"""A training run: a directory whose files are everything there is to know about it."""

import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from cnnblocks.paths import expanded
from cnnblocks.runs import control, launch, places
from cnnblocks.runs.checkpoints import Checkpoint, list_checkpoints
from cnnblocks.runs.errors import RunBusyError, RunError, RunNotFoundError
from cnnblocks.runs.events import EventTail, read_events
from cnnblocks.runs.files import read_json, write_json, write_text
from cnnblocks.runs.history import read_history
from cnnblocks.runs.lock import RunLock
from cnnblocks.runs.status import ACTIVE, Status, read_state


class RunDirectory:
    """A run's files, for whoever trains it, watches it or asks about it.

    Nothing is kept in memory but the configuration, so what is read is always what is there now.

    Args:
        path: The run directory; `open` takes an id or `last` as well.

    Attributes:
        path: Where it is.
        id: Its name, such as `20261122-0512-lenet5-ab12`.

    Raises:
        RunNotFoundError: The directory is not a run's.

    Example:

        >>> import tempfile
        >>> config = {"network": "lenet5", "data": {"name": "digits"}, "epochs": 5}
        >>> run = RunDirectory.create(config, runs_dir=tempfile.mkdtemp())
        >>> run.state, run.status.epochs
        ('queued', 5)
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path).absolute()
        if not places.is_run(self.path):
            raise RunNotFoundError(f"{self.path} is not a run: it holds no {places.CONFIG}.")
        self.id = self.path.name

    @classmethod
    def create(cls, config: dict[str, Any], runs_dir: str | os.PathLike | None = None) -> Self:
        """Make the directory of a new run, in the state `queued`.

        Args:
            config: Everything to repeat the run. `network` (a name), `data` (an object with
                `name`) and `epochs` are what lists show; `schema`, `id` and `created` are added.
            runs_dir: Where to put it; see `runs_directory`.

        Raises:
            RunError: The directory cannot be written.
        """
        root = places.runs_directory(runs_dir)
        now = time.time()
        try:
            root.mkdir(parents=True, exist_ok=True)
            path = _write_new(root, config, now)
        except OSError as error:
            raise RunError(
                f"Cannot create a run in {root}: {error.strerror or error}. Name another place "
                "with --runs-dir, or in CNNBLOCKS_RUNS_DIR."
            ) from error
        places.add_to_index(path)
        return cls(path)

    @classmethod
    def open(cls, reference: str | os.PathLike, runs_dir: str | os.PathLike | None = None) -> Self:
        """Find a run.

        Args:
            reference: An id, the beginning of one that fits no other, a path, or `"last"` for the
                run created last.
            runs_dir: Where to look for ids; see `runs_directory`.

        Raises:
            RunNotFoundError: None fits, or several do; the message lists what there is.
        """
        return cls(resolve(reference, runs_dir))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunDirectory) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration; raises `RunError` when it is damaged or too new."""
        return read_json(self.path / places.CONFIG)

    def write_config(self, config: dict[str, Any]) -> None:
        """Replace the configuration, as when a resumed run is to train longer."""
        write_json(self.path / places.CONFIG, config)
        self.config = config

    @property
    def status(self) -> Status:
        """What the trainer wrote last; raises `RunError` when it is damaged or too new."""
        return Status.read(self.path / "status.json")

    @property
    def state(self) -> str:
        """The state as it is, `interrupted` included; see `derive_state`."""
        return read_state(self.path)[1]

    @property
    def active(self) -> bool:
        """Whether a process is at work on it, or about to be."""
        return self.state in ACTIVE

    @property
    def history(self) -> list[dict[str, float]]:
        """A row for every completed epoch: `epoch`, `seconds`, metrics and the rest."""
        return read_history(self.path / "history.csv")

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoints written so far; see `list_checkpoints`."""
        return list_checkpoints(self.path)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event so far; `tail` reads them piece by piece."""
        return read_events(self.path / "events.jsonl")

    def tail(self, position: int = 0) -> EventTail:
        """A reader of events as they come; see `EventTail`."""
        return EventTail(self.path / "events.jsonl", position)

    @property
    def console(self) -> Path:
        """What the training process printed, when it was started detached."""
        return self.path / "console.log"

    @property
    def note(self) -> str:
        """The user's note; empty when there is none."""
        try:
            return (self.path / "note.txt").read_text(encoding="utf-8").rstrip("\n")
        except FileNotFoundError:
            return ""

    @note.setter
    def note(self, text: str) -> None:
        self.require_writable()
        write_text(self.path / "note.txt", f"{text}\n" if text else "")

    @property
    def writable(self) -> bool:
        """Whether this user may change the run; others' runs can be read only."""
        return os.access(self.path, os.W_OK)

    @property
    def owner(self) -> str:
        """The name of the user to whom the run belongs."""
        try:
            return self.path.owner()
        except (KeyError, OSError):
            return str(self.path.stat().st_uid)
        except NotImplementedError:
            return ""

    def require_writable(self) -> None:
        """Raise `RunError` when this user may only read the run."""
        if not self.writable:
            raise RunError(f"{self.id} belongs to {self.owner}: you can read it, not change it.")

    def ask(self, command: str) -> None:
        """Ask the process that trains it to `"stop"`, `"stop-after-epoch"` or `"checkpoint"`.

        Raises:
            RunError: No process is training it, or it belongs to somebody else.
        """
        self.require_writable()
        if not self.active:
            raise RunError(f"{self.id} is not running: its state is {self.state}.")
        control.ask(self.path, command)

    def launch(self) -> int:
        """Train it, or go on, in a process that outlives this one; returns the process' number.

        Raises:
            RunBusyError: A process is training it already.
            RunError: It belongs to somebody else.
        """
        self.require_writable()
        status, state = read_state(self.path)
        if state in ("running", "stopping"):
            raise RunBusyError(f"{self.id} is being trained already (process {status.pid}).")
        control.done(self.path)
        status.queued().write(self.path / "status.json")
        return launch.launch(self.path)

    def delete(self) -> None:
        """Delete the run with all its files.

        Raises:
            RunBusyError: It is being trained.
            RunError: It belongs to somebody else.
        """
        self.require_writable()
        lock = RunLock(self.path / "lock")
        lock.acquire()
        try:
            if os.name == "nt":
                # There, a directory with an open file in it cannot be renamed.
                lock.release()
            # Renamed first, so that no list shows a run that is half gone.
            doomed = self.path.rename(self.path.with_name(f".deleted-{self.id}"))
            shutil.rmtree(doomed)
        except OSError as error:
            raise RunError(f"{self.path} cannot be deleted: {error.strerror or error}") from error
        finally:
            lock.release()

    def reload(self) -> None:
        """Forget the configuration that was read, so that the next look reads it again."""
        with suppress(AttributeError):
            del self.config


def list_runs(
    runs_dir: str | os.PathLike | None = None, everywhere: bool = False
) -> list[RunDirectory]:
    """The runs of a directory, or of all places where this user ever started one, oldest first.

    Args:
        runs_dir: The directory; see `runs_directory`.
        everywhere: Add those of the index.
    """
    if everywhere:
        paths = places.all_runs(runs_dir)
    else:
        paths = places.runs_in(places.runs_directory(runs_dir))
    return [RunDirectory(path) for path in paths]


def resolve(reference: str | os.PathLike, runs_dir: str | os.PathLike | None = None) -> Path:
    """The path of the run that `reference` names; see `RunDirectory.open`."""
    name = os.fspath(reference)
    if not name:
        raise RunNotFoundError("Name a run: its id, the beginning of one, a path, or last.")
    if isinstance(reference, Path) or os.sep in name or name.startswith((".", "~")):
        return _resolve_path(expanded(name))
    root = places.runs_directory(runs_dir)
    runs = places.runs_in(root)
    if name == "last":
        if not runs:
            raise RunNotFoundError(f"There are no runs in {root} yet. {_HOW_TO_START}")
        return max(runs, key=_created)
    return _resolve_name(name, root, runs)


_HOW_TO_START = "Start one with: cnnblocks train lenet5 --data digits"


def _resolve_path(path: Path) -> Path:
    if not path.exists():
        raise RunNotFoundError(f"There is no run at {path}: nothing of that name exists.")
    if not places.is_run(path):
        raise RunNotFoundError(f"{path} is not a run: it holds no {places.CONFIG}.")
    return path.absolute()


def _resolve_name(name: str, root: Path, runs: list[Path]) -> Path:
    exact = [run for run in runs if run.name == name]
    fitting = exact or [run for run in runs if run.name.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise RunNotFoundError(
            f"{name!r} fits {len(fitting)} runs: {_some(fitting)}. Name more of it."
        )
    if places.is_run(name):
        return Path(name).absolute()
    elsewhere = [run for run in places.indexed_runs() if run.name.startswith(name)]
    if elsewhere:
        raise RunNotFoundError(
            f"No run {name!r} in {root}, but there is {elsewhere[-1]}. Name that path, or its "
            f"directory: --runs-dir {elsewhere[-1].parent}"
        )
    raise RunNotFoundError(f"No run {name!r} in {root}. {_what_there_is(name, runs)}")


def _what_there_is(name: str, runs: list[Path]) -> str:
    if not runs:
        return f"It holds no runs. {_HOW_TO_START}"
    close = get_close_matches(name, [run.name for run in runs], n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"There are: {_some(runs)}."


def _some(runs: list[Path], most: int = 5) -> str:
    names = ", ".join(run.name for run in runs[-most:])
    return names if len(runs) <= most else f"{names} and {len(runs) - most} more"


def _created(run: Path) -> tuple[float, str]:
    try:
        return float(read_json(run / places.CONFIG)["created"]), run.name
    except (RunError, KeyError, TypeError, ValueError):
        return 0.0, run.name


def _new_id(network: str, now: float) -> str:
    minute = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M")
    slug = re.sub(r"[^a-z0-9]+", "-", Path(network).stem.lower()).strip("-") or "model"
    return f"{minute}-{slug[:40]}-{secrets.token_hex(2)}"


def _write_new(root: Path, config: dict[str, Any], now: float) -> Path:
    """Fill a directory aside and rename it, so that no list ever shows half a run."""
    path = root / _new_id(str(config["network"]), now)
    aside = path.with_name(f".new-{path.name}")
    aside.mkdir()
    for name in ("control", "checkpoints", "evaluation"):
        (aside / name).mkdir()
    write_json(aside / places.CONFIG, {**config, "id": path.name, "created": round(now, 3)})
    status = Status(epochs=int(config.get("epochs") or 0)).queued()
    status.write(aside / "status.json")
    aside.rename(path)
    return path
