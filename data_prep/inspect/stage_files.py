"""Finds the stages' output in a directory: lines and summaries, of whole runs or of shards."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from data_prep.schema.line import LineT, check_fields, stream_lines
from data_prep.schema.stages import RecordCounts
from stepdiff_jax.errors import InputError
from stepdiff_jax.json_files import read_object
from stepdiff_jax.jsonl import shorten

ORDER = (
    "clips",
    "frames",
    "descriptions",
    "pairs",
    "questions",
    "filtered",
    "sequences",
    "single",
)
"""The stages' files, in the order in which they are produced."""

_SHARD = r"\.(\d+)-of-(\d+)"
_SUMMARY = re.compile(rf"(?P<name>.+?)(?:{_SHARD})?\.summary\.json")


@dataclass
class StageCounts:
    """The total of a stage's summaries; `shards` of its `count` shards were found."""

    entered: int = 0
    left: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    shards: int = 0
    count: int = 1

    def counted(self, prefix: str) -> dict[str, int]:
        """The counts whose names start with a prefix, without the prefix; largest first."""
        found = {
            name.removeprefix(prefix): number
            for name, number in self.counts.items()
            if name.startswith(prefix) and number
        }
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def stream_stage(
    directory: Path, name: str, kind: type[LineT], suffix: str = ".jsonl"
) -> Iterator[LineT]:
    """The lines of a stage's file, or of its shards in order; none if there is no file.

    Raises:
        InputError: a file cannot be read, or a line is invalid.
    """
    whole = directory / f"{name}{suffix}"
    paths = [whole] if whole.exists() else [path for path, _, _ in _shards(directory, name, suffix)]
    for path in paths:
        if path.stat().st_size:
            yield from (record for _, record in stream_lines(path, kind))


def read_counts(directory: Path) -> dict[str, StageCounts]:
    """Stage -> its counts, in the stages' order, then any other summaries by name.

    If a stage has a summary of a whole run, those of its shards are ignored.

    Raises:
        InputError: a summary cannot be read or lacks its counts, or shards are from different runs.
    """
    names = {
        match["name"]
        for path in directory.glob("*.summary.json")
        if (match := _SUMMARY.fullmatch(path.name))
    }
    found: dict[str, StageCounts] = {}
    for name in sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else 99, name)):
        whole = directory / f"{name}.summary.json"
        shards = _shards(directory, name, ".summary.json")
        of = {count for _, _, count in shards}
        if not whole.exists() and len(of) > 1:
            raise InputError(f"{directory}: {name} has summaries of runs with {sorted(of)} shards")
        paths = [whole] if whole.exists() else [path for path, _, _ in shards]
        total = StageCounts(count=1 if whole.exists() else of.pop())
        for path in paths:
            _add(total, path)
        found[name] = total
    return found


def _shards(directory: Path, name: str, suffix: str) -> list[tuple[Path, int, int]]:
    """The shards' files with their number and count, in order."""
    form = re.compile(f"{re.escape(name)}{_SHARD}{re.escape(suffix)}")
    matches = [(path, form.fullmatch(path.name)) for path in directory.iterdir()]
    found = [(path, int(match[1]), int(match[2])) for path, match in matches if match]
    return sorted(found, key=lambda shard: shard[1:])


def _add(total: StageCounts, path: Path) -> None:
    def wrong(field: str, problem: str, value: object) -> NoReturn:
        found = value if isinstance(value, str) else shorten(value)
        raise InputError(f"{path}: field {field!r} {problem}, got {found}")

    summary = check_fields(read_object(path), RecordCounts, wrong)
    total.entered += summary.entered
    total.left += summary.left
    total.shards += 1
    total.dropped.update(summary.dropped)
    total.counts.update(summary.counts)
