"""Runs a stage: shards, resumption, a quarantine file and a summary; ours.

A shard writes `OUT.<i>-of-<N>.jsonl` instead of `OUT.jsonl`; workers do all shards, which are then
merged (`merge`). Beside it are
`OUT....quarantine.jsonl` (records that failed, with the reason) and `OUT....summary.json`, which
is written last: if it exists, the stage is finished and does nothing.
While it runs, finished records are appended to `OUT....part`. A killed run resumes from there and
writes the same bytes as an uninterrupted one. As answers cost money, a run with other settings or
input never discards or overwrites existing output, but is an error.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from data_prep.schema.line import Line, Row
from data_prep.schema.stages import Origin, Reason, Summary, reasons
from data_prep.stage.files import (
    Entry,
    origin_of,
    read_journal,
    read_summary,
    write_journal,
    write_summary,
)
from data_prep.stage.lock import locked
from data_prep.stage.merge import remove_shards, run_shards
from data_prep.stage.retry import reopen
from data_prep.stage.shards import Shard
from stepdiff_jax.files import remove_unfinished
from stepdiff_jax.jsonl import write_jsonl

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
    result_of: Callable[[Row], Row] | None = lambda line: line,
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
        result_of: maps the one line of a row to its result, so that the row need not be done again
            if others are; None: a stage that costs little, whose lines are not one for a row.
    Raises:
        InputError: the existing output was made with other settings or from other input.
        OutsideFailure: a server or a disk fails; what is done is kept.
    """
    mine = shard.of(rows)
    keys = [kind.of(row).key for row in mine]
    origin = origin_of(mine, settings)
    journal = shard.path(destination, ".part")
    report = shard.path(destination, ".summary.json")
    with locked(journal):
        if shard.retry_quarantined:
            key_of = partial(_key, kind)
            reopen(keys, mine, key_of, destination, shard, origin, result_of)
        found = read_summary(report, origin)
        if found is not None:
            journal.unlink(missing_ok=True)
            if shard.workers:
                remove_shards(destination)
            print(f"{destination.stem}: already done", file=sys.stderr)
            return found
        done = read_journal(journal, origin)
        if shard.workers:
            retry = shard.retry_quarantined
            run_shards(keys, mine, destination, shard.workers, origin, done, retry=retry)
        else:
            _work_off(keys, mine, kind, work, destination, shard, origin, done)
            _write_results(keys, mine, destination, shard, origin, done, counts, lines, set_aside)
        journal.unlink(missing_ok=True)
    return json.loads(report.read_text(encoding="utf-8"))


def _key(kind: type[RecordT], row: Row) -> str:
    return kind.of(row).key


def _work_off(
    keys: Sequence[str],
    rows: Sequence[Row],
    kind: type[RecordT],
    work: Callable[[Sequence[RecordT]], Iterator[Line | Rejected]],
    destination: Path,
    shard: Shard,
    origin: Origin,
    done: dict[str, Entry],
) -> None:
    """Add the results of the rows that are not `done`, to it and to the journal."""
    journal = shard.path(destination, ".part")
    missing = [(key, row) for key, row in zip(keys, rows) if key not in done]
    start = reported = time.monotonic()
    write_journal(journal, origin, done)
    remove_unfinished(shard.path(destination, ".jsonl"))
    remove_unfinished(shard.path(destination, ".quarantine.jsonl"))
    with journal.open("a", encoding="utf-8") as file:
        for first in range(0, len(missing), BATCH):
            batch = missing[first : first + BATCH]
            results = work([kind.of(row) for _, row in batch])
            for (key, row), result in zip(batch, results, strict=True):
                if isinstance(result, Rejected):
                    extra = result.extra.row() if result.extra else {}
                    entry: Entry = (True, {**row, **extra, **result.reason})
                else:
                    entry = (False, result.row())
                done[key] = entry
                file.write(json.dumps([key, *entry]) + "\n")
                file.flush()
            if first + BATCH >= len(missing) or time.monotonic() > reported + REPORT_SECONDS:
                reported = time.monotonic()
                _report(destination.stem, first + len(batch), len(missing), start)


def _write_results(
    keys: Sequence[str],
    rows: Sequence[Row],
    destination: Path,
    shard: Shard,
    origin: Origin,
    done: Mapping[str, Entry],
    counts: Callable[[Row], Mapping[str, int]],
    lines: Callable[[Row, Row], Iterable[Row]],
    set_aside: Callable[[Row, Row], Iterable[Row]],
) -> None:
    """Write the shard's files, the summary last."""
    quarantined: list[Row] = []
    total: Counter[str] = Counter()
    written = 0

    def finished() -> Iterator[Row]:
        nonlocal written
        for key, row in zip(keys, rows):
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
        entered=len(rows),
        left=written,
        dropped=reasons(quarantined),
        counts=dict(sorted(total.items())),
        settings=origin.settings,
        input=origin.input,
    ).row()
    write_summary(shard.path(destination, ".summary.json"), summary)


def passed_on(row: Row, result: Row) -> tuple[Row]:
    """For `lines`: the row's own line, updated with the fields of the result."""
    return ({**row, **result},)


def _report(name: str, done: int, of: int, start: float) -> None:
    rate = done / max(time.monotonic() - start, 1e-6)
    left = (of - done) / rate
    line = f"{name}: {done}/{of} records, {rate:.1f}/s, {left:.0f} s remaining"
    print(line, file=sys.stderr, flush=True)
