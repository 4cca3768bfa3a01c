"""Paths as people type them."""

import os
from pathlib import Path

from cnnblocks.errors import CnnblocksError


class PathError(CnnblocksError, ValueError):
    """A path that can stand for no file."""


def expanded(path: str | os.PathLike) -> Path:
    """A path with the home directory in place of `~` or `~user`.

    Args:
        path: As it was typed.

    Raises:
        PathError: It begins with `~` and a name that no user has here.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise PathError(
            f"{path} begins with the name of no user here. Write ./{path} for a file of that name, "
            "or the whole path."
        ) from error
