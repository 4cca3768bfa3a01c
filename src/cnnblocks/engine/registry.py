"""The engine's methods by name."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from cnnblocks.errors import CnnblocksError

_HOMES = ("networks", "data", "training", "runs", "weights", "prediction", "devices")


class EngineError(CnnblocksError, ValueError):
    """A request names a method that does not exist or parameters that do not fit."""


class Cancelled(Exception):
    """The request was cancelled while it ran."""


@dataclass(frozen=True)
class Context:
    """What a method may use beside its parameters.

    Args:
        folder: A temporary folder for arrays, removed when the engine ends.
        progress: Sends a progress object for the request; raises `Cancelled` once the client has
            cancelled it.
    """

    folder: Path
    progress: Callable[..., None]


@dataclass(frozen=True)
class Method:
    """One method: its function, and whether its answers may be kept on disk."""

    name: str
    function: Callable[..., Any]
    cached: bool


METHODS: dict[str, Method] = {}

CACHED = frozenset({"networks.list", "networks.summary", "recipes.show", "estimate"})


def method(name: str) -> Callable:
    """Register a function as the engine's method `name`.

    The function takes the request's parameters by keyword, with a `Context` first, and returns
    something JSON can hold.
    """

    def register(function: Callable) -> Callable:
        METHODS[name] = Method(name, function, name in CACHED)
        return function

    return register


def load_methods() -> None:
    """Import the modules that hold the methods (and with them Keras)."""
    for home in _HOMES:
        import_module(f"cnnblocks.engine.{home}")
