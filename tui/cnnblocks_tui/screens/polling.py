"""Looking at files again and again without ever holding up a key."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from textual.css.query import NoMatches
from textual.screen import Screen

Found = TypeVar("Found")


def poll_every(
    screen: Screen, seconds: float, read: Callable[[], Found], show: Callable[[Found], None]
) -> None:
    """Call `read` in a thread and `show` with what it found, as long as the screen lives.

    Nothing is read while the screen is not the one on top.
    """

    async def keep_looking() -> None:
        while screen.is_attached:
            if screen.is_current or screen is screen.app.screen_stack[-1]:
                found = await asyncio.to_thread(read)
                # A screen that is being closed loses its widgets before it notices.
                with suppress(NoMatches):
                    show(found)
            await asyncio.sleep(seconds)

    work: Any = keep_looking
    screen.run_worker(work, group="polling", name=f"poll {type(screen).__name__}")
