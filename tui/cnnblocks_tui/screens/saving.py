"""Writing a file where somebody wants it, and over another one only when told to."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from cnnblocks.errors import CnnblocksError
from cnnblocks.paths import PathError, expanded
from cnnblocks_tui.opening import holds
from cnnblocks_tui.screens.base import Place
from cnnblocks_tui.screens.dialogs import Ask, Confirm


def save(
    screen: Place,
    question: str,
    name: str,
    write: Callable[[Path], Awaitable[None]],
    hint: str = "",
) -> None:
    """Ask for a path and write there; if a file is there already, ask once more.

    Args:
        screen: Where it is asked, and told how it went.
        question: What is asked.
        name: The file's name, in the working directory, if nobody types another path.
        write: Writes the file.
        hint: One line below the field.
    """

    def take(answer: str | None) -> None:
        if not answer:
            return
        try:
            path = expanded(answer)
        except PathError as error:
            screen.notify(str(error), severity="error")
            return
        if not holds(path, Path.exists):
            start(path)
            return

        def replace(sure: bool | None) -> None:
            if sure:
                start(path)

        doubt = f"{path} is there already. Write over it?"
        screen.app.push_screen(Confirm(doubt, "Write over it"), replace)

    def start(path: Path) -> None:
        screen.in_background(_written, screen, path, write, group="save")

    screen.app.push_screen(Ask(question, str(_here() / name), hint), take)


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:
        return Path.home()  # The working directory was deleted.


async def _written(screen: Place, path: Path, write: Callable[[Path], Awaitable[None]]) -> None:
    try:
        await write(path)
    except OSError as error:
        screen.notify(f"{path} cannot be written: {error.strerror or error}", severity="error")
    except (CnnblocksError, ValueError) as error:
        screen.notify(str(error), severity="error")
    else:
        screen.notify(f"Written to {path}")


async def write_text(path: Path, text: str) -> None:
    """Write a text file in a thread."""
    await asyncio.to_thread(path.write_text, text)
