"""The protocol of every system in Table 1."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from stepdiff_jax.evaluation.benchmark_files import DiffCap, DiffMCQ, DiffRank


class System(Protocol):
    """Answers to the three tasks of section 3.4, instance by instance, in order."""

    def caption(self, instances: Sequence[DiffCap]) -> list[str] | None:
        """Difference captions; None if the system cannot generate text."""
        ...

    def choose(self, instances: Sequence[DiffMCQ]) -> np.ndarray:
        """float [N, 4]: how well each option's pair fits the difference."""
        ...

    def rank(self, instances: Sequence[DiffRank]) -> np.ndarray:
        """float [N, 4]: how similar each target is to the reference in the category."""
        ...
