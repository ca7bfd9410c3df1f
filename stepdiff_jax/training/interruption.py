"""Stopping at the request of a scheduler or user, and the exit code that requests a restart."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from stepdiff_jax.exit_codes import SAVED


class Interrupted(SystemExit):
    """Training stopped early and saved; exits with 75 (EX_TEMPFAIL): restart it to resume."""

    def __init__(self) -> None:
        super().__init__(SAVED)


@contextmanager
def watch_signals() -> Iterator[Callable[[], bool]]:
    """Inside the block, SIGTERM and SIGINT only set a flag; a second one interrupts at once.

    Yields:
        a function that returns whether a signal has arrived. Outside the main thread, signals are
        not handled.
    """
    received: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    watched: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        watched = ()
    previous = {number: signal.signal(number, handle) for number in watched}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
