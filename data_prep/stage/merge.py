"""Does a stage in shards on workers, and merges these into the files of one machine; ours."""

import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_prep.schema.line import Row
from data_prep.schema.stages import Origin, RecordCounts, Summary
from data_prep.stage.files import Entry, origin_of, read_summary, write_journal, write_summary
from data_prep.stage.shards import Shard, Workers
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import replacing

FAILURE = ".failure"
"""Suffix of the file that says why a worker could not do a shard."""

_FILES = (".jsonl", ".quarantine.jsonl")
_OTHERS = (".summary.json", ".part", FAILURE)


def run_shards(
    keys: Sequence[str],
    rows: Sequence[Row],
    destination: Path,
    workers: Workers,
    origin: Origin,
    kept: Mapping[str, Entry],
    *,
    retry: bool,
) -> None:
    """Do a stage's shards on workers, merge them, and write the summary.

    Finished shards are not done again, nor are the `kept` rows.

    Args:
        keys, rows: the stage's rows and their keys, in order.
        kept: results that are known already, by key.
        retry: shards with quarantined rows are done again, too.
    Raises:
        InputError, OutsideFailure: see `Workers.run`; InputError also if the stage was begun with
            another number of shards.
    """
    count = workers.count(len(rows))
    shards = [Shard(number, count) for number in range(1, count + 1)]
    _require_count(destination, count)
    settings = origin.settings if isinstance(origin.settings, dict) else {}
    origins = [origin_of(shard.of(rows), settings) for shard in shards]

    def finished(number: int) -> dict[str, Any] | None:
        report = shards[number - 1].path(destination, ".summary.json")
        return read_summary(report, origins[number - 1])

    missing = []
    for shard, its_origin in zip(shards, origins):
        shard.path(destination, FAILURE).unlink(missing_ok=True)
        found = finished(shard.number)
        if found is not None and not (retry and found.get("dropped")):
            continue
        missing.append(shard.number)
        known = {key: kept[key] for key in shard.of(keys) if key in kept}
        if known and found is None and not shard.path(destination, ".part").exists():
            write_journal(shard.path(destination, ".part"), its_origin, known)
    if missing:
        workers.run(
            missing,
            count,
            lambda number: finished(number) is not None,
            lambda number: shards[number - 1].path(destination, FAILURE),
        )
    summaries = []
    for shard in shards:
        found = finished(shard.number)
        if found is None:
            path = shard.path(destination, ".summary.json")
            raise InputError(f"{path}: was not written; do all workers share this directory?")
        summaries.append(found)
    _merge(shards, [RecordCounts.of(one) for one in summaries], destination, origin)


def remove_shards(destination: Path) -> None:
    """Remove the shards of a stage that are merged."""
    for path in _shard_files(destination):
        path.unlink(missing_ok=True)


def _merge(
    shards: Sequence[Shard], summaries: Sequence[RecordCounts], destination: Path, origin: Origin
) -> None:
    whole = Shard()
    for suffix in _FILES:
        with (
            replacing(whole.path(destination, suffix)) as unfinished,
            unfinished.open("wb") as merged,
        ):
            for shard, found in zip(shards, summaries):
                path = shard.path(destination, suffix)
                if suffix == ".jsonl" and not found.left and not path.exists():
                    continue  # a stage may remove an empty file
                with path.open("rb") as file:
                    shutil.copyfileobj(file, merged)
    summary = Summary(
        entered=sum(one.entered for one in summaries),
        left=sum(one.left for one in summaries),
        dropped=_total([one.dropped for one in summaries]),
        counts=_total([one.counts for one in summaries]),
        settings=origin.settings,
        input=origin.input,
    ).row()
    write_summary(whole.path(destination, ".summary.json"), summary)
    remove_shards(destination)


def _total(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def _require_count(destination: Path, count: int) -> None:
    for path in _shard_files(destination):
        begun = _number_of_shards(destination, path)
        if begun != count:
            raise InputError(
                f"{path}: the stage was begun in {begun} shards, not {count}; go on with "
                f"--beam-shards {begun}, or delete it"
            )


def _shard_files(destination: Path) -> list[Path]:
    if not destination.parent.is_dir():
        return []
    return sorted(
        path for path in destination.parent.iterdir() if _number_of_shards(destination, path)
    )


def _number_of_shards(destination: Path, path: Path) -> int:
    """N of a file `NAME.i-of-N.SUFFIX` of the destination; 0 for other files."""
    endings = "|".join(map(re.escape, (*_FILES, *_OTHERS)))
    pattern = rf"{re.escape(destination.stem)}\.\d+-of-(\d+)(?:{endings})"
    match = re.fullmatch(pattern, path.name)
    return int(match[1]) if match else 0
