"""The files of the StepDiff benchmark and of predictions for it, as the authors released them.

All are JSON Lines; predictions are in the order of the ground truth. Readers are strict: they
raise `InputError` naming file, line, field and value.
"""

import dataclasses
import os
from collections.abc import Callable
from typing import Literal, TypeVar

from stepdiff_jax.data.clip_ids import ClipId, format_clip_id, parse_clip_id
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import JsonLine, read_jsonl, shorten, write_jsonl

__all__ = [
    "NUM_CHOICES",
    "PARSERS",
    "TASKS",
    "ClipId",
    "DiffCap",
    "DiffMCQ",
    "DiffRank",
    "Task",
    "as_task",
    "format_clip_id",
    "parse_clip_id",
    "read_diffcap",
    "read_diffmcq",
    "read_diffrank",
    "read_generated_texts",
    "read_predictions",
    "read_scores",
    "write_jsonl",
]

PathLike = str | os.PathLike[str]
Task = Literal["diffcap", "diffmcq", "diffrank"]
TASKS: tuple[Task, ...] = ("diffcap", "diffmcq", "diffrank")
NUM_CHOICES = 4  # options of a DiffMCQ question, targets of a DiffRank line

ClipPair = tuple[str, str]
_Example = TypeVar("_Example")


@dataclasses.dataclass(frozen=True)
class DiffCap:
    """Describe how `candidate` differs from `reference` in `category`; `text`: the captions."""

    reference: str
    candidate: str
    category: str
    text: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class DiffMCQ:
    """Which of four (reference, candidate) pairs shows `difference`? `answer` is one of them."""

    difference: str
    category: str
    options: tuple[ClipPair, ...]
    answer: ClipPair

    @property
    def answer_index(self) -> int:
        """Index of the (first) correct option, 0 to 3."""
        return self.options.index(self.answer)


@dataclasses.dataclass(frozen=True)
class DiffRank:
    """Four targets and their similarity to `reference` in `category`, judged by people, 0 to 5."""

    reference: str
    targets: tuple[str, ...]
    category: str
    scores: tuple[int, ...]


def read_diffcap(path: PathLike) -> list[DiffCap]:
    """Reads `{"reference", "candidate", "category", "text": [caption, ...]}` lines."""
    return _read(path, _diffcap)


def read_diffmcq(path: PathLike) -> list[DiffMCQ]:
    """Reads `{"difference", "category", "options": [[ref, cand] x4], "answer": [ref, cand]}`."""
    return _read(path, _diffmcq)


def read_diffrank(path: PathLike) -> list[DiffRank]:
    """Reads `{"reference", "targets": [clip x4], "category", "scores": [int x4]}` lines."""
    return _read(path, _diffrank)


def read_generated_texts(path: PathLike) -> list[str]:
    """Predictions for DiffCap: the string of each `{"generated_text"}` line, empty ones too."""
    return _read(path, lambda line: line.string("generated_text"))


def read_scores(path: PathLike) -> list[tuple[float, ...]]:
    """Predictions for DiffMCQ and DiffRank: the numbers of each `{"scores": [float x4]}` line."""
    return _read(path, lambda line: line.finite_numbers("scores", NUM_CHOICES))


def read_predictions(path: PathLike, task: str) -> list[str] | list[tuple[float, ...]]:
    """Predictions for `task`: texts for diffcap, four scores per line for diffmcq and diffrank."""
    return read_generated_texts(path) if as_task(task) == "diffcap" else read_scores(path)


def as_task(task: str) -> Task:
    """Checks the name of a task; raises `InputError` naming the known ones."""
    for known in TASKS:
        if task == known:
            return known
    raise InputError(f"task must be one of {', '.join(TASKS)}, got {shorten(task)}")


def _read(path: PathLike, build: Callable[[JsonLine], _Example]) -> list[_Example]:
    return [build(line) for line in read_jsonl(path)]


def _diffcap(line: JsonLine) -> DiffCap:
    reference, candidate = _clip(line, "reference"), _clip(line, "candidate")
    return DiffCap(reference, candidate, line.string("category"), line.strings("text"))


def _diffmcq(line: JsonLine) -> DiffMCQ:
    difference, category = line.string("difference"), line.string("category")
    pairs = line.items("options", NUM_CHOICES)
    options = tuple(_clip_pair(line, "options", pair) for pair in pairs)
    answer = _clip_pair(line, "answer", line.get("answer"))
    if answer not in options:
        line.fail("answer", "must be one of the options", list(answer))
    return DiffMCQ(difference, category, options, answer)


def _diffrank(line: JsonLine) -> DiffRank:
    reference, category = _clip(line, "reference"), line.string("category")
    targets = line.strings("targets", NUM_CHOICES)
    for target in targets:
        _check_clip(line, "targets", target)
    return DiffRank(reference, targets, category, line.integers("scores", NUM_CHOICES))


PARSERS: dict[Task, Callable[[JsonLine], DiffCap | DiffMCQ | DiffRank]] = {
    "diffcap": _diffcap,
    "diffmcq": _diffmcq,
    "diffrank": _diffrank,
}
"""Task -> parser of one line of its file; raises InputError as the task's reader does."""


def _clip_pair(line: JsonLine, field: str, pair: object) -> ClipPair:
    if not isinstance(pair, list) or [type(clip) for clip in pair] != [str, str]:
        line.fail(field, "must hold pairs of clip ids [reference, candidate]", pair)
    reference, candidate = pair
    _check_clip(line, field, reference)
    _check_clip(line, field, candidate)
    return reference, candidate


def _clip(line: JsonLine, field: str) -> str:
    clip = line.string(field)
    _check_clip(line, field, clip)
    return clip


def _check_clip(line: JsonLine, field: str, clip: str) -> None:
    try:
        parse_clip_id(clip)
    except InputError as error:
        raise InputError(f"{line.path}, line {line.number}: field {field!r}: {error}") from error
