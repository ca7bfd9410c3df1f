"""Checks a benchmark file against the official format, line by line."""

from collections import Counter
from pathlib import Path
from typing import Any

from data_prep.benchmark.write import LARGEST_TIE, ties
from data_prep.schema.differences import LARGEST_SCORE
from stepdiff_jax.data.prompts import CATEGORIES
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import PARSERS, DiffCap, DiffMCQ, DiffRank, Task
from stepdiff_jax.jsonl import stream_jsonl

KNOWN_CATEGORIES = frozenset((*CATEGORIES, "Serving / Presentation"))
"""The paper's five categories, and one more in the released DiffRank file."""


def validate_benchmark(path: Path, task: Task) -> dict[str, Any]:
    """Check a benchmark file; returns its counts of lines, clips and lines by category.

    Clip ids must be `<video>_<start>_<end>`; a DiffMCQ line must have four distinct options, and a
    DiffRank line four distinct targets with scores from 0 to 5 and at most one tie.

    Raises:
        InputError: the file cannot be read, or lines are invalid; names their number and the first.
    """
    problems: list[str] = []
    categories: Counter[str] = Counter()
    clips: set[str] = set()
    lines = tied = 0
    for line in stream_jsonl(path):
        lines += 1
        try:
            example = PARSERS[task](line)
        except InputError as error:
            problems.append(str(error))
            continue
        wrong = _problem(example)
        if wrong:
            problems.append(f"{path}, line {line.number}: {wrong}")
        categories[example.category] += 1
        clips.update(_clips(example))
        tied += isinstance(example, DiffRank) and ties(example.scores) > 0
    if problems:
        raise InputError(
            f"{len(problems)} of {lines} lines are invalid; the first is {problems[0]}"
        )
    unknown = sum(categories[name] for name in categories.keys() - KNOWN_CATEGORIES)
    return {
        "task": task,
        "lines": lines,
        "clips": len(clips),
        "categories": dict(sorted(categories.items())),
        "lines of unknown category": unknown,
        **({"lines with a tie": tied} if task == "diffrank" else {}),
    }


def _problem(example: DiffCap | DiffMCQ | DiffRank) -> str:
    if isinstance(example, DiffCap):
        return "" if all(map(str.strip, example.text)) else "field 'text' has an empty caption"
    if isinstance(example, DiffMCQ):
        same = len(set(example.options)) < len(example.options)
        return "field 'options' has a duplicate pair" if same else ""
    if len(set(example.targets)) < len(example.targets):
        return "field 'targets' has a duplicate clip"
    if not all(0 <= score <= LARGEST_SCORE for score in example.scores):
        return f"field 'scores' must be from 0 to {LARGEST_SCORE}, got {list(example.scores)}"
    if ties(example.scores) > LARGEST_TIE:
        return f"field 'scores' has more than one tie: {list(example.scores)}"
    return ""


def _clips(example: DiffCap | DiffMCQ | DiffRank) -> list[str]:
    if isinstance(example, DiffCap):
        return [example.reference, example.candidate]
    if isinstance(example, DiffMCQ):
        return [clip for pair in example.options for clip in pair]
    return [example.reference, *example.targets]
