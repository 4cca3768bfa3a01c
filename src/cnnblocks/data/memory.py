"""How much memory images may take."""

from pathlib import Path

import psutil

_SHARE = 0.5
_CGROUP = Path("/sys/fs/cgroup")


def image_budget() -> int:
    """Return how many bytes of images may be kept in memory: half of what is free now.

    Example:

        >>> image_budget() > 0
        True
    """
    return int(_SHARE * free_memory())


def free_memory() -> float:
    """Return how many bytes are free: on the machine, or in the container if that has less."""
    return min(psutil.virtual_memory().available, _container_free())


def _container_free() -> float:
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no cgroup of version 2, or "max": no limit
        return float("inf")
    return max(0, limit - used)


def readable(size: float) -> str:
    """Write a number of bytes for people.

    Example:

        >>> readable(153_600_000)
        '146.5 MiB'
    """
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
