"""The kitchen's oracle: questions and answers for training, and annotations for evaluation.

It replaces Llama-2-chat, which writes the questions (paper, section 3.2), and the human annotators
of differences and scores (section 4). All of it is ours.
"""

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from data_prep.kitchen import language
from data_prep.kitchen.world import ATTRIBUTES, CATEGORIES, VALUES, Scene, score
from data_prep.schema.differences import Difference
from data_prep.schema.kitchen import Truth
from data_prep.schema.line import stream_lines
from stepdiff_jax.errors import InputError

ERROR_RATE = 0.05
"""Share of answers with wrong values, as a language model would give ("LLM-generated data is
noisy", section 3.2)."""

TARGETS = 4
"""Annotated candidates per reference (section 4.3)."""


@dataclass(frozen=True)
class TrueClip:
    """A clip and the scene that it shows."""

    clip: str
    scene: Scene

    @functools.cached_property
    def video(self) -> str:
        return self.clip.rsplit("_", 2)[0]


def read_truth(path: Path, split: str = "") -> list[TrueClip]:
    """Read the clips of one split, or of all, from a world's `truth.jsonl`.

    Raises InputError if the file cannot be read or the split has no clips.
    """
    clips = []
    for _, truth in stream_lines(path, Truth):
        if split in ("", truth.split):
            values = tuple(VALUES[name].index(truth.values[name]) for name in ATTRIBUTES)
            clips.append(TrueClip(truth.clip, Scene(truth.keystep, values)))
    if not clips:
        raise InputError(f"{path}: field 'split': no clips of {split!r}")
    return clips


def paired_questions(
    clips: Sequence[TrueClip],
    *,
    partners: int,
    seed: int,
    questions: int = 5,
    error_rate: float = ERROR_RATE,
) -> Iterator[dict]:
    """Rows of `pairs.jsonl`: each clip paired with `partners` similar clips.

    A partner shows the same keystep in another video; it is the most similar of a random sample,
    but never equal. The clip is the candidate instead of the reference in about half of the pairs.
    """
    rng = np.random.default_rng((seed, 0))
    by_keystep = _by_keystep(clips)
    for reference in clips:
        pool = _others(reference, by_keystep)
        for _ in range(partners):
            candidate = _similar(reference, pool, rng)
            first, second = (reference, candidate) if rng.random() < 0.5 else (candidate, reference)
            yield {
                "reference": first.clip,
                "candidate": second.clip,
                "questions": ask(first.scene, second.scene, rng, questions, error_rate),
            }


def ask(
    reference: Scene,
    candidate: Scene,
    rng: np.random.Generator,
    count: int,
    error_rate: float = ERROR_RATE,
) -> list[dict[str, str | float]]:
    """Ask for a difference, a verdict, a summary (as in the paper's prompt), and then any kind.

    The summary is one of three: what both videos show, what is the same, or how similar they are.
    Two verdicts on single attributes follow, which are exact where a category's is noisy. Some
    answers are based on a misread candidate.
    """
    summaries = (language.ask_summary, language.ask_checklist, language.ask_scores)
    kinds: list[language.Question] = [
        language.ask_difference,
        language.ask_same,
        summaries[rng.integers(len(summaries))],
        language.ask_same_attribute,
        language.ask_same_attribute,
    ]
    others = (language.ask_difference, language.ask_same, *summaries, language.ask_contrast)
    while len(kinds) < count:
        kinds.append(others[rng.integers(len(others))])
    asked: list[dict[str, str | float]] = []
    for kind in kinds[:count]:
        seen = misread(candidate, rng) if rng.random() < error_rate else candidate
        question, answer = kind(reference, seen, rng)
        weight = language.answer_weight(kind)
        asked.append({"question": question, "answer": answer, "weight": weight})
    return asked


def misread(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with three of its values replaced at random."""
    values = list(scene.values)
    for index in rng.permutation(len(ATTRIBUTES))[:3]:
        values[index] = int(rng.integers(len(VALUES[ATTRIBUTES[index]])))
    return replace(scene, values=tuple(values))


def annotated_differences(
    clips: Sequence[TrueClip], *, references: int, seed: int
) -> Iterator[dict]:
    """Rows of `differences.jsonl`: every category of each reference with four targets.

    The targets are those of a random sample whose scores differ most within the categories. Every
    row has a score from 1 to 5; if the pair differs in the category, it has two captions.
    """
    rng = np.random.default_rng((seed, 1))
    by_keystep = _by_keystep(clips)
    for number in rng.permutation(len(clips))[:references]:
        reference = clips[number]
        pool = _others(reference, by_keystep)
        for candidate in _spread(reference, pool, rng):
            for category in CATEGORIES:
                similarity = score(reference.scene, candidate.scene, category)
                contrasts = language.CONTRASTS[:2] if similarity < 5 else ()
                captions = (
                    language.difference_caption(reference.scene, candidate.scene, category, one)
                    for one in contrasts
                )
                yield Difference(
                    reference=reference.clip,
                    candidate=candidate.clip,
                    keystep=reference.scene.keystep,
                    category=category,
                    captions=list(captions),
                    score=similarity,
                ).row()


def _by_keystep(clips: Sequence[TrueClip]) -> dict[int, list[TrueClip]]:
    groups: dict[int, list[TrueClip]] = defaultdict(list)
    for clip in clips:
        groups[clip.scene.keystep].append(clip)
    return groups


def _others(reference: TrueClip, by_keystep: Mapping[int, Sequence[TrueClip]]) -> list[TrueClip]:
    """Clips of the reference's keystep from other videos, except equal scenes."""
    pool = [
        clip
        for clip in by_keystep[reference.scene.keystep]
        if clip.scene != reference.scene and clip.video != reference.video
    ]
    if len(pool) < TARGETS:
        raise InputError(
            f"clip {reference.clip!r}: {len(pool)} other clips of its keystep, {TARGETS} are needed"
        )
    return pool


def _similar(reference: TrueClip, pool: Sequence[TrueClip], rng: np.random.Generator) -> TrueClip:
    """The clip of a random sample that shares most attributes with the reference."""
    return max(_sample(pool, 12, rng), key=lambda clip: _shared(reference.scene, clip.scene))


def _shared(first: Scene, second: Scene) -> int:
    return sum(a == b for a, b in zip(first.values, second.values))


def _spread(
    reference: TrueClip, pool: Sequence[TrueClip], rng: np.random.Generator
) -> list[TrueClip]:
    near = sorted(_sample(pool, 40, rng), key=lambda clip: -_shared(reference.scene, clip.scene))
    near = near[:12]
    scores = [[score(reference.scene, clip.scene, name) for name in CATEGORIES] for clip in near]

    def distinct_scores(indices: Sequence[int]) -> int:
        return sum(len(set(column)) for column in zip(*(scores[index] for index in indices)))

    chosen = max(combinations(range(len(near)), TARGETS), key=distinct_scores)
    return _sample([near[index] for index in chosen], TARGETS, rng)


def _sample(pool: Sequence[TrueClip], count: int, rng: np.random.Generator) -> list[TrueClip]:
    return [pool[index] for index in rng.permutation(len(pool))[:count]]
