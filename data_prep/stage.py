"""Runs a stage: shards, resumption, a quarantine file and a summary; ours.

`OUT.jsonl` is written as `OUT.<i>-of-<N>.jsonl` where there are shards. Beside it lie
`OUT....quarantine.jsonl` (records that could not be done, with the reason) and
`OUT....summary.json`, which comes last: where it is there, the stage is done and does nothing.
While it runs, finished records are appended to `OUT....part`: a run that was killed goes on from
there, and leaves the same bytes as one that was not. Answers cost money, so neither is ever begun
anew or written over by a run with other settings or on other input: that is an error.
"""

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from data_prep.schema.line import Line, Row
from data_prep.schema.stages import Origin, Reason, Summary, reasons
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import remove_unfinished, write_json, write_text
from stepdiff_jax.jsonl import shorten, write_jsonl

BATCH = 32
"""Records that are handed on at once, and lost at most when a run is killed."""

REPORT_SECONDS = 2.0


class Keyed(Protocol):
    """What a stage reads of a row, and the row's name: the same in every run."""

    @property
    def key(self) -> str:
        """Names the row among those of the stage."""
        ...

    @classmethod
    def of(cls, row: Row) -> Self:
        """The record of a row."""
        ...


RecordT = TypeVar("RecordT", bound=Keyed)


@dataclass(frozen=True)
class Rejected:
    """A record that could not be done; `kind` is counted, the others are written out."""

    kind: str
    detail: str
    extra: Line | None = None

    @property
    def reason(self) -> Row:
        """The end of the quarantine line."""
        return Reason(self.kind, self.detail).row()


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count`.

    Raises InputError if the number is not from 1 to `count`.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise InputError(f"--shard {self.number}/{self.count}: must be i/N with 1 <= i <= N")

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """From `i/N`; raises InputError if the text is of another form."""
        number, slash, count = text.partition("/")
        if not (slash and number.isdigit() and count.isdigit()):
            raise InputError(f"--shard {text!r}: must be i/N, such as 1/4")
        return cls(int(number), int(count))

    def path(self, destination: Path, suffix: str) -> Path:
        """The shard's file of a destination `NAME.jsonl`."""
        part = "" if self.count == 1 else f".{self.number}-of-{self.count}"
        return destination.with_name(f"{destination.stem}{part}{suffix}")


def run_stage(
    rows: Sequence[Row],
    kind: type[RecordT],
    work: Callable[[Sequence[RecordT]], Iterator[Line | Rejected]],
    destination: Path,
    *,
    shard: Shard,
    settings: Mapping[str, Any],
    counts: Callable[[Row], Mapping[str, int]] = lambda row: {},
    lines: Callable[[Row, Row], Iterable[Row]] = lambda row, result: (result,),
    set_aside: Callable[[Row, Row], Iterable[Row]] = lambda row, result: (),
) -> dict[str, Any]:
    """Do the rows of a shard that are not done yet; returns (and writes) the summary.

    Args:
        rows: lines of the input as they stand in its files, unknown fields included.
        kind: what the stage reads of a row.
        work: one result for each record, in order.
        settings: what the result depends on.
        counts: what is added up in the summary, over results and quarantined rows.
        lines: from a row and its result to the lines that are written of it.
        set_aside: to the lines of a finished row that are quarantined, each with its `reason`.
    Raises:
        InputError: what is there was made with other settings, or on other input.
    """
    mine = rows[shard.number - 1 :: shard.count]
    origin = origin_of(mine, settings)
    journal = shard.path(destination, ".part")
    report = shard.path(destination, ".summary.json")
    found = read_summary(report, origin)
    if found is not None:
        journal.unlink(missing_ok=True)
        print(f"{destination.stem}: is done", file=sys.stderr)
        return found
    done = _read_journal(journal, origin)
    keys = [kind.of(row).key for row in mine]
    missing = [(key, row) for key, row in zip(keys, mine) if key not in done]
    start = reported = time.monotonic()
    journal.parent.mkdir(parents=True, exist_ok=True)
    _write_journal(journal, origin, done)
    remove_unfinished(shard.path(destination, ".jsonl"))
    remove_unfinished(shard.path(destination, ".quarantine.jsonl"))
    with journal.open("a", encoding="utf-8") as file:
        for first in range(0, len(missing), BATCH):
            batch = missing[first : first + BATCH]
            results = work([kind.of(row) for _, row in batch])
            for (key, row), result in zip(batch, results, strict=True):
                if isinstance(result, Rejected):
                    extra = result.extra.row() if result.extra else {}
                    entry = (True, {**row, **extra, **result.reason})
                else:
                    entry = (False, result.row())
                done[key] = entry
                file.write(json.dumps([key, *entry]) + "\n")
                file.flush()
            if first + BATCH >= len(missing) or time.monotonic() > reported + REPORT_SECONDS:
                reported = time.monotonic()
                _report(destination.stem, first + len(batch), len(missing), start)
    quarantined: list[Row] = []
    total: Counter[str] = Counter()
    written = 0

    def finished() -> Iterator[Row]:
        nonlocal written
        for key, row in zip(keys, mine):
            rejected, result = done[key]
            total.update(counts(result))
            if rejected:
                quarantined.append(result)
                continue
            quarantined.extend(set_aside(row, result))
            for line in lines(row, result):
                written += 1
                yield line

    write_jsonl(shard.path(destination, ".jsonl"), finished())
    write_jsonl(shard.path(destination, ".quarantine.jsonl"), quarantined)
    summary = Summary(
        entered=len(mine),
        left=written,
        dropped=reasons(quarantined),
        counts=dict(sorted(total.items())),
        settings=origin.settings,
        input=origin.input,
    ).row()
    write_summary(report, summary)
    journal.unlink()
    return summary


def passed_on(row: Row, result: Row) -> tuple[Row]:
    """For `lines`: the row's own line with what the result adds or replaces."""
    return ({**row, **result},)


def origin_of(rows: Sequence[Row], settings: Mapping[str, Any]) -> Origin:
    """What a stage's output is made of; part of its summary."""
    return Origin(json.loads(json.dumps(settings)), _digest(rows))


def read_summary(path: Path, origin: Origin) -> dict[str, Any] | None:
    """The summary of a stage that is done; None if it is not.

    Raises:
        InputError: what is there was made with other settings, or on other input.
    """
    if not path.exists():
        return None
    found = _json(path, path.read_text(encoding="utf-8"))
    _require_same(path, found, origin)
    return found


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write a stage's summary, whole or not at all."""
    write_json(path, summary, indent=2)


def _read_journal(path: Path, origin: Origin) -> dict[str, tuple[bool, Row]]:
    """Finished rows of a run that was stopped; its last line may be cut off."""
    if not path.exists():
        return {}
    header, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    _require_same(path, _json(path, header), origin)
    done: dict[str, tuple[bool, Row]] = {}
    with suppress(ValueError):
        for line in lines:
            name, rejected, row = json.loads(line)
            done[name] = (rejected, row)
    return done


def _write_journal(path: Path, origin: Origin, done: Mapping[str, tuple[bool, Row]]) -> None:
    """Without a cut-off last line; whole or not at all, so that a kill here loses nothing."""
    lines = [origin.row(), *([name, *entry] for name, entry in done.items())]
    write_text(path, "".join(f"{json.dumps(line)}\n" for line in lines))


def _require_same(path: Path, found: Row, origin: Origin) -> None:
    """Raises InputError if what is at `path` was made with other settings or of other input."""
    known = Origin.of(found)
    made, wanted = known.settings, origin.settings
    for name in sorted(made.keys() | wanted.keys()):
        if made.get(name) != wanted.get(name):
            raise InputError(
                f"{path}: was made with {name} = {shorten(made.get(name))}, not "
                f"{shorten(wanted.get(name))}; choose another destination, or delete it"
            )
    if known.input != origin.input:
        raise InputError(
            f"{path}: was made of other input; choose another destination, or delete it"
        )


def _json(path: Path, text: str) -> Row:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error})") from error
    return value if isinstance(value, dict) else {}


def _digest(rows: Sequence[Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()[:16]


def _report(name: str, done: int, of: int, start: float) -> None:
    rate = done / max(time.monotonic() - start, 1e-6)
    left = (of - done) / rate
    line = f"{name}: {done}/{of} records, {rate:.1f}/s, {left:.0f} s left"
    print(line, file=sys.stderr, flush=True)
