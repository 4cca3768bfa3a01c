"""The error that every reader of weight files raises."""

from pathlib import Path

from cnnblocks.errors import CnnblocksError


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
