"""Ctrl+C and a scheduler's SIGTERM: once to finish the steps in flight, twice to leave at once."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """What the signals asked for so far.

    Attributes:
        received: The first signal that came, or `None`.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None


@contextmanager
def listening(at_once: Callable[[signal.Signals], None]) -> Iterator[Interrupts]:
    """Take SIGINT and SIGTERM for the duration of a block.

    Python runs signal handlers between two bytecodes of the main thread, which may be minutes away
    while a step is compiled. A thread that reads the signals as the system delivers them is not
    held up by that.

    Args:
        at_once: Called in that thread at the second signal, to leave a last word; then the process
            ends.

    Yields:
        An `Interrupts`. Nothing is ever received outside the main thread, where signals cannot be
        taken.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    thread = threading.Thread(
        target=_listen, args=(reader, interrupts, at_once), name="signals", daemon=True
    )
    earlier = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    thread.start()
    try:
        yield interrupts
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in earlier.items():
            signal.signal(number, handler)
        writer.close()
        thread.join()
        reader.close()


def _listen(
    reader: socket.socket, interrupts: Interrupts, at_once: Callable[[signal.Signals], None]
) -> None:
    while data := reader.recv(64):
        for number in data:
            if number not in _SIGNALS:
                continue
            received = signal.Signals(number)
            if interrupts.received is not None:
                at_once(received)
                os._exit(128 + number)
            interrupts.received = received
