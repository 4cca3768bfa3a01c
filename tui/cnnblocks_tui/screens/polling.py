"""Looking at files again and again without ever holding up a key."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from textual.css.query import NoMatches

from cnnblocks_tui.places import log_path

if TYPE_CHECKING:
    from cnnblocks_tui.screens.base import Place

Found = TypeVar("Found")

log = logging.getLogger("cnnblocks_tui")

CATCHING_UP = 0.02


def poll_every(
    screen: "Place",
    seconds: float,
    read: Callable[[], Found],
    show: Callable[[Found], None],
    behind: Callable[[], bool] = lambda: False,
) -> None:
    """Call `read` in a thread and `show` with what it found, as long as the screen lives.

    Nothing is read while another screen than a dialog is on top of it.

    Args:
        screen: Whose task it is.
        seconds: The pause between two looks.
        read: Reads for a tenth of a second at most.
        show: Shows what was found.
        behind: Whether there is more to read; then the next look follows at once.
    """

    async def look() -> None:
        screen.reading = True
        try:
            found = await asyncio.to_thread(read)
        finally:
            screen.reading = False
        show(found)

    async def keep_looking() -> None:
        told = ""
        while screen.is_attached:
            if _is_seen(screen):
                try:
                    await look()
                except NoMatches:
                    pass  # A screen that is being closed loses its widgets before it notices.
                except Exception as error:
                    if told != repr(error):
                        told = repr(error)
                        _tell(screen, error)
            await asyncio.sleep(CATCHING_UP if behind() else seconds)

    work: Any = keep_looking
    screen.run_worker(work, group="polling", name=f"poll {type(screen).__name__}")


def _is_seen(screen: "Place") -> bool:
    # Textual calls the screen below the one on top current, too, and to draw anything on it means
    # to draw all of the one on top anew.
    stack = screen.app.screen_stack
    return screen in stack and all(above.is_modal for above in stack[stack.index(screen) + 1 :])


def _tell(screen: "Place", error: Exception) -> None:
    log.error("Files that cannot be shown", exc_info=error)
    words = f"{type(error).__name__}: {error}"
    screen.notify(
        f"Something in the files cannot be shown. {words}. More is in {log_path()}",
        severity="error",
        timeout=10,
    )
