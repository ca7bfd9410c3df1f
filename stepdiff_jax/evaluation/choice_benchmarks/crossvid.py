"""CrossVid: the tasks with one correct choice (Li et al. 2026, arXiv 2511.12263; as released).

The directory has `QA/<task>.json`; clips are the videos' paths below `videos/`, or parts of them.
The other tasks are no choices of one option among several (BU, FSA, PSS, CCQA), or need boxes
drawn around objects (MSR, MOC).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stepdiff_jax.evaluation.choice_benchmarks.items import JsonItem, read_items
from stepdiff_jax.evaluation.choice_benchmarks.lettered import read_options
from stepdiff_jax.evaluation.system import ChoiceQuestion

BETWEEN = "What most likely happens between the first video and the second?"
"""The question of Plot Inference, whose file has none (the wording is ours)."""


def read(directory: Path) -> list[ChoiceQuestion]:
    """The questions of the four tasks; raises InputError naming the question and the field."""
    return [
        _question(item, category, clips)
        for task, (category, clips) in TASKS.items()
        for item in read_items(directory / "QA" / f"{task}.json")
    ]


def _question(
    item: JsonItem, category: str, clips: Callable[[JsonItem], tuple[str, ...]]
) -> ChoiceQuestion:
    options = read_options(item)
    question = BETWEEN if clips is _beginning_and_ending else item.text("question")
    return ChoiceQuestion(clips(item), category, question, options.texts, options.answer)


def _videos(item: JsonItem) -> tuple[str, ...]:
    videos = item.strings("videos")
    if len(videos) < 2:
        item.fail("videos", "must be at least two", list(videos))
    return videos


def _parts(item: JsonItem) -> tuple[str, ...]:
    """A part of each video: from `begin` to `end`, in seconds."""
    videos = _videos(item)
    begins, ends = (item.items(field, len(videos)) for field in ("begin", "end"))
    return tuple(
        f"{video}@{item.span('end', begin, end)}" for video, begin, end in zip(videos, begins, ends)
    )


def _beginning_and_ending(item: JsonItem) -> tuple[str, ...]:
    """Two parts of one video; one in pieces is shown from its start to its end (ours)."""
    video = item.text("video")
    return tuple(f"{video}@{_around(item, field)}" for field in ("beginning", "ending"))


def _around(item: JsonItem, field: str) -> str:
    pieces: list[Any] = item.items(field)
    if not isinstance(pieces[0], list):
        pieces = [pieces]
    if not all(isinstance(piece, list) and len(piece) == 2 for piece in pieces):
        item.fail(field, "must be [start, end], or a list of such", item.get(field))
    return item.span(field, pieces[0][0], pieces[-1][1])


TASKS: dict[str, tuple[str, Callable[[JsonItem], tuple[str, ...]]]] = {
    "NC": ("Narrative Comprehension", _videos),
    "CC": ("Culinary Comparison", _videos),
    "PEA": ("Procedural Error Analysis", _parts),
    "PI": ("Plot Inference", _beginning_and_ending),
}
"""File's name -> the task's name, and its clips."""
