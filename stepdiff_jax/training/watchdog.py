"""Ends a run that hangs: a failed job can be restarted, a hanging one cannot."""

import faulthandler
import os
import sys
import threading
import time

from stepdiff_jax.exit_codes import STUCK

STARTUP_SECONDS = 3600
"""Extra time allowed until the end of the first step, for reading weights, restoring a checkpoint
and compiling the step (ours)."""


class Watchdog:
    """Context manager inside which `beat` must be called regularly.

    Otherwise the stacks of all threads are printed to standard error and the process exits with
    `STUCK`, without cleanup: whatever hangs would hang an orderly exit, too.
    """

    def __init__(self, seconds: float, startup_seconds: float = STARTUP_SECONDS):
        """Watches from `__enter__` on.

        Args:
            seconds: maximum time between two beats; 0 disables the watchdog.
            startup_seconds: added to `seconds` before the first beat.
        """
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds + startup_seconds
        self._step = 0
        self._done = threading.Event()

    def __enter__(self) -> "Watchdog":
        if self._seconds:
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def beat(self, step: int) -> None:
        """Report that `step` steps are done."""
        self._step = step
        self._deadline = time.monotonic() + self._seconds

    def _watch(self) -> None:
        while not self._done.wait(min(1.0, self._seconds / 4)):
            if time.monotonic() > self._deadline:
                print(
                    f"stepdiff: error: no step ended for {self._seconds} s after step "
                    f"{self._step} (loop.watchdog_seconds); the stacks of all threads follow",
                    file=sys.stderr,
                    flush=True,
                )
                faulthandler.dump_traceback(file=sys.__stderr__ or 2)
                os._exit(STUCK)
