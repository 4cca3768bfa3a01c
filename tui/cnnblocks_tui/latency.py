"""What keeps the answer to a key quick, whatever the threads behind the screens do.

The collector's walk over everything that was imported takes longer than a key may; so it waits
until the program has started, and from then on leaves alone what was there already. Its walks over
all that came since wait until nobody presses keys. Threads that read and measure give way to the
screen after a millisecond instead of five.
"""

import gc
import sys
from importlib import import_module

SOON_NEEDED = ("screens.run", "screens.weights", "screens.networks", "screens.help")
DUE = 10
"""Collections of the younger objects after which Python itself looks at all of them."""
OVERDUE = 500
NEVER = 1_000_000_000


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
    youngest, middle, _ = gc.get_threshold()
    gc.set_threshold(youngest, middle, NEVER)
    gc.enable()


def collect(idle: float) -> None:
    """Every now and then: walk over all objects if that is due and keeps no key waiting.

    Args:
        idle: Seconds since somebody pressed a key or moved the mouse.
    """
    passed = gc.get_count()[2]
    if passed >= DUE and (idle >= 1.0 or passed >= OVERDUE):
        gc.collect()
