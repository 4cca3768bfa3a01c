"""Answers kept on disk, for methods whose answer depends on their parameters and versions only."""

import hashlib
import json
import os
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cnnblocks
from cnnblocks.runs import user_directories


def cache_directory() -> Path:
    """The engine's part of the user's cache directory."""
    return user_directories()["cache"] / "engine"


@cache
def _versions() -> tuple:
    package = Path(cnnblocks.__file__).parent
    newest = max(path.stat().st_mtime_ns for path in package.rglob("*.py"))
    return cnnblocks.__version__, version("keras"), os.environ.get("KERAS_BACKEND"), newest


def _path(method: str, params: dict) -> Path:
    key = json.dumps([method, params, _versions()], sort_keys=True)
    return cache_directory() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def recall(method: str, params: dict) -> Any:
    """The answer given before, or `None`."""
    try:
        return json.loads(_path(method, params).read_text())
    except (OSError, ValueError):
        return None


def remember(method: str, params: dict, answer: Any) -> None:
    """Keep an answer; a cache that cannot be written is not an error."""
    path = _path(method, params)
    aside = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(answer))
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
