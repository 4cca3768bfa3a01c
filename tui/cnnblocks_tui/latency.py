"""What keeps the answer to a key quick, whatever the threads behind the screens do.

The collector's walk over everything that was imported takes longer than a key may; so it waits
until the program has started, and from then on leaves alone what was there already. Threads that
read and measure give way to the screen after a millisecond instead of five.
"""

import gc
import sys
from importlib import import_module

SOON_NEEDED = ("screens.run", "screens.weights", "screens.networks", "screens.help")


def prepare() -> None:
    """Before the program starts."""
    gc.disable()
    sys.setswitchinterval(0.001)


def import_soon_needed() -> None:
    """In a thread, once the first screen is there: so that the next one opens at once."""
    for name in SOON_NEEDED:
        import_module(f"cnnblocks_tui.{name}")


def settle() -> None:
    """Once all that is imported: collect from now on what comes and goes."""
    gc.freeze()
    gc.enable()
