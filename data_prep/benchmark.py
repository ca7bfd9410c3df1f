"""From difference annotations to the three official benchmark files (paper, section 4).

An annotation is one line `{"reference", "candidate", "keystep", "category", "captions": [...],
"score"}`; no captions where the pair does not differ in the category.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import DiffCap, DiffMCQ, DiffRank, write_jsonl

TARGETS = 4
LARGEST_TIE = 1
"""A DiffRank line may hold one tied pair of scores, as the released file does."""


@dataclass(frozen=True)
class Difference:
    """One annotated category of one pair; `score` is 5 for nearly identical."""

    reference: str
    candidate: str
    keystep: Hashable
    category: str
    captions: tuple[str, ...]
    score: int


def diffcap(differences: Sequence[Difference]) -> list[DiffCap]:
    """All captions of one pair and category are one instance's ground truth (section 4.1)."""
    grouped: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in differences:
        grouped[one.reference, one.candidate, one.category] += one.captions
    return [DiffCap(*key, tuple(texts)) for key, texts in grouped.items() if texts]


def diffmcq(differences: Sequence[Difference], *, hard: int, seed: int) -> list[DiffMCQ]:
    """One caption a category and three hard negatives (section 4.2).

    Negatives are pairs of the same keystep and category with another caption, drawn from the
    `hard` whose captions share most words with the answer's (**ours**). Instances with fewer than
    three such pairs are left out.
    """
    rng = np.random.default_rng(seed)
    captioned = [one for one in differences if one.captions]
    groups: dict[tuple[Hashable, str], list[Difference]] = defaultdict(list)
    for one in captioned:
        groups[one.keystep, one.category].append(one)
    instances = []
    for one in captioned:
        caption = one.captions[0]
        others = [
            other for other in groups[one.keystep, one.category] if other.captions[0] != caption
        ]
        # Ties in similarity are broken at random, not by place in the file.
        order = rng.permutation(len(others))
        nearest = sorted(order, key=lambda place: -word_overlap(caption, others[place].captions[0]))
        negatives = rng.permutation(nearest[:hard])[:3]
        if len(negatives) < 3:
            continue
        pairs = [(one.reference, one.candidate)]
        pairs += [(others[place].reference, others[place].candidate) for place in negatives]
        if len(set(pairs)) < 4:
            continue
        options = tuple(pairs[place] for place in rng.permutation(4))
        instances.append(DiffMCQ(caption, one.category, options, pairs[0]))
    return instances


def word_overlap(first: str, second: str) -> float:
    """Jaccard similarity of the two captions' sets of words."""
    words, others = set(first.split()), set(second.split())
    return len(words & others) / len(words | others)


def diffrank(differences: Sequence[Difference]) -> list[DiffRank]:
    """Four targets of one reference and category, with at most one tie in their scores."""
    grouped: dict[tuple[str, str], list[Difference]] = defaultdict(list)
    for one in differences:
        grouped[one.reference, one.category].append(one)
    instances = []
    for (reference, category), targets in grouped.items():
        if len(targets) != TARGETS:
            raise InputError(
                f"reference {reference!r}, category {category!r}: {len(targets)} targets are "
                f"annotated, not {TARGETS}"
            )
        scores = tuple(target.score for target in targets)
        if TARGETS - len(set(scores)) <= LARGEST_TIE:
            candidates = tuple(target.candidate for target in targets)
            instances.append(DiffRank(reference, candidates, category, scores))
    return instances


def write_benchmark(
    differences: Sequence[Difference],
    directory: Path,
    *,
    limit: int | None = None,
    hard: int = 12,
    seed: int = 0,
) -> dict[str, int]:
    """Write `diffcap_dataset.jsonl`, `diffmcq_dataset.jsonl` and `diffrank_dataset.jsonl`.

    Args:
        limit: instances of each at most, a seeded sample in file order; None keeps all.
    Returns:
        the number of instances of each task.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tasks: dict[str, Sequence[Any]] = {
        "diffcap": diffcap(differences),
        "diffmcq": diffmcq(differences, hard=hard, seed=seed),
        "diffrank": diffrank(differences),
    }
    rng = np.random.default_rng((seed, 1))
    for task, instances in tasks.items():
        if not instances:
            raise InputError(f"{directory}: the annotations give no instance of {task}")
        kept = sorted(rng.permutation(len(instances))[:limit])
        tasks[task] = [instances[place] for place in kept]
        write_jsonl(directory / f"{task}_dataset.jsonl", tasks[task])
    return {task: len(instances) for task, instances in tasks.items()}
