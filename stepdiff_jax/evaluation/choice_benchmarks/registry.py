"""The other benchmarks of `stepdiff evaluate --task NAME`, one per line."""

from collections.abc import Callable
from pathlib import Path

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.system import ChoiceQuestion
from stepdiff_jax.plugins import load_named

CHOICE_BENCHMARKS = {
    "captaincook4d": "stepdiff_jax.evaluation.choice_benchmarks.captaincook4d:read",
    "crossvid": "stepdiff_jax.evaluation.choice_benchmarks.crossvid:read",
    "cvbench": "stepdiff_jax.evaluation.choice_benchmarks.cvbench:read",
    "viddiffbench": "stepdiff_jax.evaluation.choice_benchmarks.viddiffbench:read",
}
"""Name -> MODULE:FUNCTION that reads the questions of a directory, imported on use."""


def choice_reader(name: str) -> Callable[[Path], list[ChoiceQuestion]]:
    """The reader of a benchmark: questions of its directory, with clips as `VideoClips` takes them.

    A reader raises InputError if a file is missing or not in the benchmark's published format.

    Raises:
        InputError: the name is unknown.
    """
    if name not in CHOICE_BENCHMARKS:
        raise InputError(f"--task: must be one of {', '.join(CHOICE_BENCHMARKS)}, got {name!r}")
    return load_named(CHOICE_BENCHMARKS[name], "--task")
