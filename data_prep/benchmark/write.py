"""Turns difference annotations into the three official benchmark files (paper, section 4)."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import UNSET

from data_prep.schema.differences import Difference
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import (
    TASKS,
    DiffCap,
    DiffMCQ,
    DiffRank,
    Task,
    write_jsonl,
)

TARGETS = 4
LARGEST_TIE = 1
"""Tied pairs of scores that a DiffRank line may have, as in the released file."""

Nearness = Callable[[Sequence[str]], Callable[[int], np.ndarray]]
"""Maps n captions to a function that returns the similarities of the i-th to all, [n]."""


def word_overlap(captions: Sequence[str]) -> Callable[[int], np.ndarray]:
    """Unweighted Jaccard similarity of the captions' word sets; a `Nearness`.

    The kitchen's files are made with this, as its captions share most of their words.
    """
    words = [set(caption.split()) for caption in captions]
    return lambda index: np.array(
        [len(words[index] & other) / len(words[index] | other) for other in words]
    )


def diffcap(
    differences: Sequence[Difference], left_out: Counter[str] | None = None
) -> list[DiffCap]:
    """DiffCap: all captions of a pair and category are one instance's ground truth (section 4.1).

    Args:
        left_out: counts by reason what yields no instance; so in `diffmcq` and `diffrank`.
    """
    grouped: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in differences:
        grouped[one.reference, one.candidate, one.category] += one.captions
    instances = [DiffCap(*key, tuple(texts)) for key, texts in grouped.items() if texts]
    _count(left_out, "pair without a difference", len(grouped) - len(instances))
    return instances


def diffmcq(
    differences: Sequence[Difference],
    *,
    hard: int,
    seed: int,
    nearness: Nearness = word_overlap,
    left_out: Counter[str] | None = None,
) -> list[DiffMCQ]:
    """DiffMCQ: one caption per pair and category, and three hard negatives (section 4.2).

    Negatives are pairs of the same keystep and category with a different caption, drawn from the
    `hard` pairs whose captions are nearest to the answer's (**ours**). Instances with fewer than
    three such pairs are left out. If a pair is annotated twice, its first caption counts.
    """
    rng = np.random.default_rng(seed)
    by_pair: dict[tuple[str, str, str], Difference] = {}
    for one in differences:
        if one.captions:
            by_pair.setdefault((one.reference, one.candidate, one.category), one)
    captioned = list(by_pair.values())
    without = sum(not one.captions for one in differences)
    _count(left_out, "pair without a difference", without)
    _count(left_out, "pair was there before", len(differences) - without - len(captioned))
    groups: dict[tuple[Hashable, str], list[Difference]] = defaultdict(list)
    indices = []
    for one in captioned:
        group = groups[one.keystep, one.category]
        indices.append(len(group))
        group.append(one)
    near = {key: nearness([one.captions[0] for one in group]) for key, group in groups.items()}
    instances = []
    for one, own_index in zip(captioned, indices):
        caption, key = one.captions[0], (one.keystep, one.category)
        group, similarity = groups[key], near[key](own_index)
        others = [index for index, other in enumerate(group) if other.captions[0] != caption]
        # Ties in similarity are broken at random, not by order in the file.
        order = rng.permutation(len(others))
        nearest = sorted(order, key=lambda index: -similarity[others[index]])
        negatives = [group[others[index]] for index in rng.permutation(nearest[:hard])[:3]]
        if len(negatives) < 3:
            _count(left_out, "fewer than three negatives")
            continue
        pairs = [(other.reference, other.candidate) for other in (one, *negatives)]
        if len(set(pairs)) < 4:
            _count(left_out, "a pair among its options twice")
            continue
        options = tuple(pairs[index] for index in rng.permutation(4))
        instances.append(DiffMCQ(caption, one.category, options, pairs[0]))
    return instances


def diffrank(
    differences: Sequence[Difference], *, seed: int = 0, left_out: Counter[str] | None = None
) -> list[DiffRank]:
    """DiffRank: four targets of one reference and category, with at most one tie in their scores.

    From more than four targets, four with at most one tie are drawn by `seed` (**ours**). Groups
    with fewer targets or more ties are left out. A target annotated twice counts once; one without
    a score does not count.
    """
    rng = np.random.default_rng((seed, 2))
    grouped: dict[tuple[str, str], dict[str, Difference]] = defaultdict(dict)
    for one in differences:
        if one.score is UNSET:
            _count(left_out, "pair without a score")
            continue
        if one.candidate in grouped[one.reference, one.category]:
            _count(left_out, "target was there before")
        grouped[one.reference, one.category].setdefault(one.candidate, one)
    instances = []
    for (reference, category), by_candidate in grouped.items():
        targets = list(by_candidate.values())
        if len(targets) < TARGETS:
            _count(left_out, f"fewer than {TARGETS} targets")
            continue
        if len(targets) > TARGETS:
            targets = _drawn(targets, rng.permutation(len(targets)).tolist())
        scores = _scores(targets)
        if len(targets) < TARGETS or ties(scores) > LARGEST_TIE:
            _count(left_out, "more than one tie")
            continue
        _count(left_out, "target beyond the fourth", len(by_candidate) - TARGETS)
        candidates = tuple(target.candidate for target in targets)
        instances.append(DiffRank(reference, candidates, category, scores))
    return instances


def ties(scores: Sequence[int]) -> int:
    """How many scores equal an earlier one."""
    return len(scores) - len(set(scores))


def write_benchmark(
    differences: Sequence[Difference],
    directory: Path,
    *,
    limit: int | None = None,
    hard: int = 12,
    seed: int = 0,
    nearness: Nearness = word_overlap,
    left_out: dict[Task, Counter[str]] | None = None,
) -> dict[str, int]:
    """Write `diffcap_dataset.jsonl`, `diffmcq_dataset.jsonl` and `diffrank_dataset.jsonl`.

    If no annotation has a score, there is no DiffRank file.

    Args:
        limit: maximum instances per task, a seeded sample in file order; None keeps all.
        left_out: filled with counts of what yields no instance, by task and reason.
    Returns:
        the number of instances of each task.
    Raises:
        InputError: a task has no instance.
    """
    directory.mkdir(parents=True, exist_ok=True)
    reasons: dict[Task, Counter[str]] = {} if left_out is None else left_out
    for task in TASKS:
        reasons[task] = Counter()
    tasks: dict[Task, Sequence[Any]] = {
        "diffcap": diffcap(differences, reasons["diffcap"]),
        "diffmcq": diffmcq(
            differences, hard=hard, seed=seed, nearness=nearness, left_out=reasons["diffmcq"]
        ),
    }
    ranked = diffrank(differences, seed=seed, left_out=reasons["diffrank"])
    if any(one.score is not UNSET for one in differences):
        tasks["diffrank"] = ranked
    rng = np.random.default_rng((seed, 1))
    for task, instances in tasks.items():
        if not instances:
            raise InputError(
                f"{directory}: the annotations yield no instance of {task}; left out: "
                f"{dict(reasons[task])}"
            )
    for task, instances in tasks.items():
        kept = sorted(rng.permutation(len(instances))[:limit])
        _count(reasons[task], "beyond the limit", len(instances) - len(kept))
        tasks[task] = [instances[index] for index in kept]
        write_jsonl(directory / f"{task}_dataset.jsonl", tasks[task])
    return {task: len(instances) for task, instances in tasks.items()}


def _drawn(targets: Sequence[Difference], order: Sequence[int]) -> list[Difference]:
    """The first four in `order` with at most one tie, in file order; fewer if not possible."""
    chosen: list[int] = []
    for index in order:
        more = [*chosen, index]
        if len(chosen) < TARGETS and ties(_scores([targets[i] for i in more])) <= LARGEST_TIE:
            chosen = more
    return [targets[index] for index in sorted(chosen)]


def _scores(targets: Sequence[Difference]) -> tuple[int, ...]:
    return tuple(target.score for target in targets if target.score is not UNSET)


def _count(counts: Counter[str] | None, reason: str, number: int = 1) -> None:
    if counts is not None and number:
        counts[reason] += number
