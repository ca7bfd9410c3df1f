"""What `stepdiff ask` reads: a file of questions, and a file of groups of videos."""

import csv
import tomllib
from collections.abc import Iterator
from pathlib import Path

from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import read_jsonl, shorten

PAIR = ("reference", "candidate")
MOST_VIDEOS = 8
"""Of one question; models are trained on as many at most (ours)."""


def read_questions(path: Path) -> dict[str, str]:
    """The questions of a TOML file by name: lines of `name = "question"`.

    Raises:
        InputError: the file cannot be read, is empty, or a value is not a question.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if not found:
        raise InputError(f'{path}: has no questions; write lines of name = "question"')
    for name, question in found.items():
        if not isinstance(question, str) or not question.strip():
            raise InputError(f"{path}: {name!r} must be a question, got {shorten(question)}")
    return found


def read_groups(path: Path) -> list[tuple[str, ...]]:
    """The groups of videos of a file, each once, in its order.

    A .csv file has the columns `reference` and `candidate`; a JSON Lines file has these fields, or
    `videos`, a list of one to `MOST_VIDEOS`.

    Raises:
        InputError: the file cannot be read or is empty, or a line has no such videos.
    """
    read = _read_csv if path.suffix.lower() == ".csv" else _read_jsonl
    return list(dict.fromkeys(read(path)))


def check_number(where: str, videos: tuple[str, ...]) -> tuple[str, ...]:
    """`videos`; raises InputError, which begins with `where`, if they are too many or none."""
    if not 0 < len(videos) <= MOST_VIDEOS:
        raise InputError(f"{where} must be 1 to {MOST_VIDEOS} videos, got {len(videos)}")
    return videos


def _read_jsonl(path: Path) -> Iterator[tuple[str, ...]]:
    for line in read_jsonl(path):
        if "videos" in line.fields:
            where = f"{path}, line {line.number}: field 'videos'"
            yield check_number(where, line.strings("videos"))
        else:
            yield tuple(line.string(name) for name in PAIR)


def _read_csv(path: Path) -> Iterator[tuple[str, ...]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in PAIR if name not in (rows.fieldnames or ())]
            if missing:
                raise InputError(f"{path}: column {missing[0]!r} is missing, got {rows.fieldnames}")
            found = 0
            for found, row in enumerate(rows, start=1):  # noqa: B007
                if not all(row[name] for name in PAIR):
                    raise InputError(f"{path}, line {rows.line_num}: {PAIR} must both be videos")
                yield tuple(row[name] for name in PAIR)
            if not found:
                raise InputError(f"{path}: is empty")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
