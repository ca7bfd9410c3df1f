"""Stopping when a scheduler or a user asks, and the exit code that asks for another start."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from stepdiff_jax.exit_codes import SAVED


class Interrupted(SystemExit):
    """Training stopped early and saved; exits with 75 (EX_TEMPFAIL): start it again to go on."""

    def __init__(self) -> None:
        super().__init__(SAVED)


@contextmanager
def watch_signals() -> Iterator[Callable[[], bool]]:
    """Within, SIGTERM and SIGINT only set a flag; a second one interrupts at once.

    Yields:
        whether one has arrived. Outside of the main thread signals are left as they are.
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
