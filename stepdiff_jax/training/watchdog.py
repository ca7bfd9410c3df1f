"""Ends a run that has stopped moving: a job that failed can start again, a silent one cannot."""

import faulthandler
import os
import sys
import threading
import time

from stepdiff_jax.exit_codes import STUCK

STARTUP_SECONDS = 3600
"""How much longer everything up to the end of the first step may take: weights are read, a
checkpoint is restored, the step is compiled (ours)."""


class Watchdog:
    """A context manager; within, `beat` must be called again and again.

    Where it is not, the stacks of all threads go to standard error and the process exits with
    `STUCK`. It exits hard: whatever hangs would hang an orderly exit, too.
    """

    def __init__(self, seconds: float, startup_seconds: float = STARTUP_SECONDS):
        """Watches from `__enter__` on.

        Args:
            seconds: between two beats; 0 watches nothing.
            startup_seconds: added to them before the first beat.
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
        """`step` steps are done."""
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
