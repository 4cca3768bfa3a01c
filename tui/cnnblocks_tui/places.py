"""Where the program keeps its settings, its view and its log."""

import json
import logging
import tempfile
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from cnnblocks.runs import state_directory, user_directories

log = logging.getLogger("cnnblocks_tui")


def config_directory() -> Path:
    """The directory of `keys.toml` and `tui.toml`; `CNNBLOCKS_CONFIG_DIR` overrides it."""
    return user_directories()["config"]


def log_path(name: str = "tui") -> Path:
    """The log file of the terminal program (`tui`) or of its helper (`engine`)."""
    return state_directory() / "logs" / f"{name}.log"


def start_logging() -> None:
    """Send the program's log to its file; without a writable place, to nowhere."""
    log.setLevel(logging.INFO)
    log.propagate = False
    handler: logging.Handler
    try:
        log_path().parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(log_path(), maxBytes=1_000_000, backupCount=2, delay=True)
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.handlers[:] = [handler]


class ViewState:
    """What the program remembers from one start to the next, one small dictionary a screen.

    Example:

        >>> state = ViewState.load()
        >>> state.view("runs")["sort"] = "epoch"
        >>> state.save()
    """

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    @classmethod
    def load(cls) -> "ViewState":
        """Read the remembered view; a missing or damaged file is an empty one."""
        try:
            content = json.loads(_state_path().read_text())
        except (OSError, ValueError):
            content = {}
        usable = isinstance(content, dict) and content.get("schema") == 1
        return cls(content if usable else {"schema": 1, "views": {}})

    def view(self, name: str) -> dict[str, Any]:
        """The dictionary of one screen, to read and to change."""
        view: dict[str, Any] = self._content.setdefault("views", {}).setdefault(name, {})
        return view

    def save(self) -> None:
        """Replace the file in one step; a place that cannot be written is only logged."""
        path = _state_path()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=path.parent, prefix=".tui-", delete=False
            ) as temporary:
                json.dump(self._content, temporary)
            Path(temporary.name).replace(path)
        except OSError as error:
            log.warning("The view could not be remembered: %s", error)


def _state_path() -> Path:
    return state_directory() / "tui.json"
