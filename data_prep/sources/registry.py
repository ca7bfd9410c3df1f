"""Sources by their names in `stepdiff prep clips --source`."""

from collections.abc import Callable
from pathlib import Path

from data_prep.sources.base import Source
from data_prep.sources.benchmark_clips import Benchmark
from data_prep.sources.captaincook4d import CaptainCook4D
from data_prep.sources.htstep import HtStep
from data_prep.sources.limits import ClipLimits
from data_prep.sources.llava import Llava
from stepdiff_jax.errors import InputError

SOURCES: dict[str, Callable[[Path], Source]] = {
    "benchmark": Benchmark,
    "captaincook4d": CaptainCook4D,
    "htstep": HtStep,
    "llava": Llava,
}

LIMITS: dict[str, ClipLimits] = {"benchmark": ClipLimits(shortest=0.0, longest=1e6)}
"""Default limits of sources other than `ClipLimits()`: every clip of a benchmark is asked about."""


def open_source(name: str, path: Path) -> Source:
    """Open the source of this name from its file or directory.

    Raises:
        InputError: there is no such source, or its files are missing or invalid.
    """
    if name not in SOURCES:
        raise InputError(f"--source {name!r}: must be one of {', '.join(sorted(SOURCES))}")
    return SOURCES[name](path)
