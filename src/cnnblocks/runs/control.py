"""What is asked of a running training: a file appears, the trainer obeys and removes it."""

import os
from contextlib import suppress
from pathlib import Path

COMMANDS = ("stop", "stop-after-epoch", "checkpoint")


def ask(directory: str | os.PathLike, command: str) -> None:
    """Ask the trainer of a run for something; it obeys within a step or two.

    Args:
        directory: The run directory.
        command: `"stop"` (after the steps in flight, with a checkpoint), `"stop-after-epoch"`, or
            `"checkpoint"`.

    Raises:
        ValueError: There is no such command.
        OSError: The directory is read-only or gone.
    """
    if command not in COMMANDS:
        raise ValueError(f"The command must be one of {', '.join(COMMANDS)}. Received: {command}")
    control = Path(directory) / "control"
    control.mkdir(exist_ok=True)
    (control / command).touch()


def asked(directory: str | os.PathLike) -> list[str]:
    """What is asked of the trainer and not yet done, in the order of `COMMANDS`."""
    try:
        present = {entry.name for entry in os.scandir(Path(directory) / "control")}
    except OSError:
        return []
    return [command for command in COMMANDS if command in present]


def done(directory: str | os.PathLike, *commands: str) -> None:
    """Take commands back, because they were obeyed or no longer matter."""
    for command in commands or COMMANDS:
        with suppress(OSError):
            (Path(directory) / "control" / command).unlink()
