"""Traces of a few steps for XProf."""

import re
from dataclasses import dataclass
from pathlib import Path

import jax

from stepdiff_jax.errors import InputError


@dataclass(frozen=True)
class Profile:
    """The steps to trace: from `start` up to, but not including, `stop`."""

    start: int
    stop: int


def parse_profile(text: str) -> Profile:
    """Parse START:STOP; raises InputError for another form, or if no step lies between."""
    match = re.fullmatch(r"(\d+):(\d+)", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise InputError(f"--profile {text!r}: must be START:STOP in steps, with START below STOP")
    return Profile(int(match[1]), int(match[2]))


class Profiler:
    """Traces the steps of a profile into `<run directory>/profile`; a context manager.

    A trace still in progress on exit is written.

    Raises InputError if tracing would crash this process.
    """

    def __init__(self, profile: Profile | None, run_directory: Path):
        if profile is not None and jax.default_backend() != "tpu" and _holds_libtpu():
            raise InputError(
                "--profile: libtpu is loaded and there is no TPU, so tracing would crash; set "
                f"JAX_PLATFORMS={jax.default_backend()}, so that JAX does not look for a TPU"
            )
        self._profile = profile
        self._directory = run_directory / "profile"
        self._tracing = False

    def __enter__(self) -> "Profiler":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def before(self, step: int) -> None:
        """Call before each step with the number of steps done."""
        if self._profile is None:
            return
        if self._tracing and step >= self._profile.stop:
            self._end()
        elif not self._tracing and self._profile.start <= step < self._profile.stop:
            jax.profiler.start_trace(str(self._directory))
            self._tracing = True

    def _end(self) -> None:
        if self._tracing:
            jax.profiler.stop_trace()
            self._tracing = False


def _holds_libtpu() -> bool:
    """Whether JAX loaded or tried to load the TPU library (libtpu 0.0.52)."""
    maps = Path("/proc/self/maps")
    return maps.exists() and "/libtpu.so" in maps.read_text()
