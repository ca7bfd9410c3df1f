"""The protocol of every system in Table 1, and what a system is opened for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from stepdiff_jax.config import Experiment
from stepdiff_jax.evaluation.benchmark_files import DiffCap, DiffMCQ, DiffRank


class Written(NamedTuple):
    """An answer that a system wrote.

    text: as generated, without white space around it; not post-processed.
    tokens: number of new tokens, without the end token; None if the system has none.
    cut: whether the limit of new tokens ended it, not the model.
    prompts: what the model read, in its own words, with <video:CLIP> for each clip.
    """

    text: str
    tokens: int | None = None
    cut: bool = False
    prompts: tuple[str, ...] = ()


class Scored(NamedTuple):
    """A score per option of an instance, higher is better.

    tokens: number of answer tokens that each likelihood sums over; empty for other scores.
    prompts: as in `Written`, one per option.
    """

    scores: tuple[float, ...]
    tokens: tuple[int, ...] = ()
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChoiceQuestion:
    """A question about one or several clips with answers to choose from.

    clips: ids in the order shown; options: the answers' texts, without letters; answer: the index
    of the correct one.
    """

    clips: tuple[str, ...]
    category: str
    question: str
    options: tuple[str, ...]
    answer: int


class System(Protocol):
    """Answers to the three tasks of section 3.4 and to choice questions, in order."""

    @property
    def settings(self) -> dict[str, Any]:
        """How it decodes and scores, as JSON values, for the results and the per-sample log."""
        ...

    def caption(self, instances: Sequence[DiffCap]) -> list[Written] | None:
        """Difference captions; None if the system cannot generate text."""
        ...

    def choose(self, instances: Sequence[DiffMCQ]) -> list[Scored]:
        """How well each option's pair fits the difference: 4 scores."""
        ...

    def rank(self, instances: Sequence[DiffRank]) -> list[Scored]:
        """How similar each target is to the reference in the category: 4 scores."""
        ...

    def answer(self, instances: Sequence[ChoiceQuestion]) -> list[Scored] | None:
        """A score per option; None if the system cannot read questions."""
        ...


class ClipSource(Protocol):
    """The frames of the clips that a system is asked about, by clip id; thread-safe."""

    @property
    def ids(self) -> tuple[str, ...]:
        """All clips, each once."""
        ...

    def frames(self, clip: str) -> np.ndarray:
        """uint8 [T, H, W, 3], as stored; not yet resized for any encoder."""
        ...

    def facts(self, clip: str) -> dict[str, Any]:
        """For the per-sample log: `times` (seconds), `frames` (a SHA-256), `decoder`."""
        ...


@dataclass(frozen=True)
class Opening:
    """What a system is opened for.

    experiment: its `mesh` is the one for inference (`stepdiff_jax.inference.mesh`).
    split: look for packed clips in this split only; None: in all.
    clips: the ids that it will be asked about, and their frames. Reading frames of a clip raises
        InputError if the data lacks it; a system that reads no video never touches them.
    directory: where a system keeps what it makes once (the captions of Socratic models), beside
        its predictions; None: nowhere.
    """

    experiment: Experiment
    split: str | None
    clips: ClipSource
    directory: Path | None = None
