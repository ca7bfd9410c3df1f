"""Runs a stage: shards, resumption, a quarantine file and a summary; ours.

With shards, `OUT.jsonl` is written as `OUT.<i>-of-<N>.jsonl`. Beside it are
`OUT....quarantine.jsonl` (records that failed, with the reason) and `OUT....summary.json`, which
is written last: if it exists, the stage is finished and does nothing.
While it runs, finished records are appended to `OUT....part`. A killed run resumes from there and
writes the same bytes as an uninterrupted one. As answers cost money, a run with other settings or
input never discards or overwrites existing output, but is an error.
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
"""Records processed at once, and the most that are lost when a run is killed."""

REPORT_SECONDS = 2.0


class Keyed(Protocol):
    """What a stage reads from a row, and a key for the row that is the same in every run."""

    @property
    def key(self) -> str:
        """Identifies the row within the stage."""
        ...

    @classmethod
    def of(cls, row: Row) -> Self:
        """The record of a row."""
        ...


RecordT = TypeVar("RecordT", bound=Keyed)


@dataclass(frozen=True)
class Rejected:
    """A record that failed; `kind` is counted, `detail` and `extra` are written out."""

    kind: str
    detail: str
    extra: Line | None = None

    @property
    def reason(self) -> Row:
        """The last fields of the quarantine line."""
        return Reason(self.kind, self.detail).row()


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count`.

    Raises InputError if `number` is not from 1 to `count`.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise InputError(f"--shard {self.number}/{self.count}: must be i/N with 1 <= i <= N")

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse `i/N`; raises InputError if the text is malformed."""
        number, slash, count = text.partition("/")
        if not (slash and number.isdigit() and count.isdigit()):
            raise InputError(f"--shard {text!r}: must be i/N, such as 1/4")
        return cls(int(number), int(count))

    def path(self, destination: Path, suffix: str) -> Path:
        """The shard's file for a destination `NAME.jsonl`."""
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
    """Process the unfinished rows of a shard; returns (and writes) the summary.

    Args:
        rows: input lines as in their files, including unknown fields.
        kind: record that the stage reads from a row.
        work: maps a batch of records to one result each, in order.
        settings: what the results depend on.
        counts: maps a result or quarantined row to the counts to total in the summary.
        lines: maps a row and its result to the lines to write.
        set_aside: maps a row and its result to lines to quarantine, each with a `reason`.
    Raises:
        InputError: the existing output was made with other settings or from other input.
    """
    mine = rows[shard.number - 1 :: shard.count]
    origin = origin_of(mine, settings)
    journal = shard.path(destination, ".part")
    report = shard.path(destination, ".summary.json")
    found = read_summary(report, origin)
    if found is not None:
        journal.unlink(missing_ok=True)
        print(f"{destination.stem}: already done", file=sys.stderr)
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
    """For `lines`: the row's own line, updated with the fields of the result."""
    return ({**row, **result},)


def origin_of(rows: Sequence[Row], settings: Mapping[str, Any]) -> Origin:
    """What a stage's output depends on; part of its summary."""
    return Origin(json.loads(json.dumps(settings)), _digest(rows))


def read_summary(path: Path, origin: Origin) -> dict[str, Any] | None:
    """The summary of a finished stage; None if it is not finished.

    Raises:
        InputError: the existing output was made with other settings or from other input.
    """
    if not path.exists():
        return None
    found = _json(path, path.read_text(encoding="utf-8"))
    _require_same(path, found, origin)
    return found


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write a stage's summary atomically."""
    write_json(path, summary, indent=2)


def _read_journal(path: Path, origin: Origin) -> dict[str, tuple[bool, Row]]:
    """Finished rows of an interrupted run; the last line may be truncated."""
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
    """Rewrite the journal without a truncated last line; atomic, so that a kill loses nothing."""
    lines = [origin.row(), *([name, *entry] for name, entry in done.items())]
    write_text(path, "".join(f"{json.dumps(line)}\n" for line in lines))


def _require_same(path: Path, found: Row, origin: Origin) -> None:
    """Raise InputError if the file at `path` was made with other settings or from other input."""
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
            f"{path}: was made from other input; choose another destination, or delete it"
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
    line = f"{name}: {done}/{of} records, {rate:.1f}/s, {left:.0f} s remaining"
    print(line, file=sys.stderr, flush=True)
