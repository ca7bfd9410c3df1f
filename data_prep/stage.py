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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError
from stepdiff_jax.files import remove_unfinished, write_json, write_text
from stepdiff_jax.jsonl import shorten, write_jsonl

BATCH = 32
"""Records that are handed on at once, and lost at most when a run is killed."""

REPORT_SECONDS = 2.0

Row = dict[str, Any]


@dataclass(frozen=True)
class Rejected:
    """A record that could not be done; `kind` is counted, the others are written out."""

    kind: str
    detail: str
    extra: Row = field(default_factory=dict)


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count`.

    Raises InputError where the number is not among them.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise InputError(f"--shard {self.number}/{self.count}: must be i/N with 1 <= i <= N")

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """From `i/N`; InputError where it is not."""
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
    key: Callable[[Row], str],
    work: Callable[[Sequence[Row]], Iterator[Row | Rejected]],
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
        key: names a row; the same in every run.
        work: one result for each row, in order.
        settings: what the result depends on.
        counts: what is added up in the summary, over finished and quarantined rows.
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
    missing = [row for row in mine if key(row) not in done]
    start = told = time.monotonic()
    journal.parent.mkdir(parents=True, exist_ok=True)
    _write_journal(journal, origin, done)
    remove_unfinished(shard.path(destination, ".jsonl"))
    remove_unfinished(shard.path(destination, ".quarantine.jsonl"))
    with journal.open("a", encoding="utf-8") as file:
        for place in range(0, len(missing), BATCH):
            batch = missing[place : place + BATCH]
            for row, result in zip(batch, work(batch), strict=True):
                if isinstance(result, Rejected):
                    entry = (True, {**row, **_reason(result)})
                else:
                    entry = (False, result)
                done[key(row)] = entry
                file.write(json.dumps([key(row), *entry]) + "\n")
                file.flush()
            if place + BATCH >= len(missing) or time.monotonic() > told + REPORT_SECONDS:
                told = time.monotonic()
                _report(destination.stem, place + len(batch), len(missing), start)
    quarantined: list[Row] = []
    total: Counter[str] = Counter()
    written = 0

    def finished() -> Iterator[Row]:
        nonlocal written
        for row in mine:
            rejected, result = done[key(row)]
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
    summary = {
        "in": len(mine),
        "out": written,
        "dropped": dict(sorted(Counter(row["reason"] for row in quarantined).items())),
        "counts": dict(sorted(total.items())),
        **origin,
    }
    write_summary(report, summary)
    journal.unlink()
    return summary


def origin_of(rows: Sequence[Row], settings: Mapping[str, Any]) -> Row:
    """What a stage's output is made of; part of its summary."""
    return {"settings": json.loads(json.dumps(settings)), "input": _digest(rows)}


def read_summary(path: Path, origin: Row) -> dict[str, Any] | None:
    """The summary of a stage that is done; None where it is not.

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


def pair_key(row: Row) -> str:
    """Names a row about a pair of clips."""
    return f"{row['reference']} {row['candidate']}"


def _reason(rejected: Rejected) -> Row:
    return {**rejected.extra, "reason": rejected.kind, "detail": rejected.detail}


def _read_journal(path: Path, origin: Row) -> dict[str, tuple[bool, Row]]:
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


def _write_journal(path: Path, origin: Row, done: Mapping[str, tuple[bool, Row]]) -> None:
    """Without a cut-off last line; whole or not at all, so that a kill here loses nothing."""
    lines = [origin, *([name, *entry] for name, entry in done.items())]
    write_text(path, "".join(f"{json.dumps(line)}\n" for line in lines))


def _require_same(path: Path, found: Row, origin: Row) -> None:
    """Raise InputError where what is at `path` was made otherwise."""
    made, wanted = found.get("settings", {}), origin["settings"]
    for name in sorted(made.keys() | wanted.keys()):
        if made.get(name) != wanted.get(name):
            raise InputError(
                f"{path}: was made with {name} = {shorten(made.get(name))}, not "
                f"{shorten(wanted.get(name))}; choose another destination, or delete it"
            )
    if found.get("input") != origin["input"]:
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
