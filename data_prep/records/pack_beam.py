"""`stepdiff prep pack --beam-runner`: the shards of `pack`, written by Beam workers.

Only shard descriptions go through Beam, which keeps several times the data it moves in memory.
Workers read the source and write the destination by path, so both must be on shared storage.
"""

import functools
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from data_prep.records.dataset.files import RecordFiles, read_record_files
from data_prep.records.dataset.shards import RecordShard, write_shard
from data_prep.records.pack import SHARD_RECORDS, pack_kinds
from data_prep.stage.beam.pipeline import open_runner, pipeline_options, run_elements
from stepdiff_jax.errors import InputError, OutsideFailure
from stepdiff_jax.exit_codes import BAD_INPUT, SAVED
from stepdiff_jax.files import write_json
from stepdiff_jax.outside import one_line_errors

FAILURE = ".failure"
"""Suffix of the file that says why a shard could not be written."""


def pack_with_beam(
    source: Path | str,
    destination: Path | str,
    runner: str,
    options: Sequence[str] = (),
    shard_records: int = SHARD_RECORDS,
) -> dict[str, int]:
    """Write exactly the datasets of `pack` with Apache Beam.

    Args:
        runner: a runner's name, such as "DirectRunner", or its full class name.
        options: NAME=VALUE for the pipeline; "true" sets a flag, and a repeated name adds a value.
    Returns:
        number of records of each kind, over all splits.
    Raises:
        InputError: see `pack`; also if the runner is unknown, an option is malformed, or the
            workers do not share storage.
        OutsideFailure: a disk or the cluster fails.
    """
    open_runner(runner)
    pipeline_options(runner, options)
    write_shards = functools.partial(_write_shards, runner=runner, options=options)
    # Absolute: a worker may run in another directory.
    paths = (Path(source).absolute(), Path(destination).absolute())
    return pack_kinds(*paths, write_shards, shard_records)


def _write_shards(
    shards: Sequence[RecordShard],
    files: RecordFiles,
    advance: Callable[[int], None],
    *,
    runner: str,
    options: Sequence[str],
) -> None:
    del files  # The workers read them.
    with _written(shards, advance):
        run_elements(write_on_worker, shards, runner, options)
    for shard in shards:
        if _failure(shard).exists():
            found = json.loads(_failure(shard).read_text(encoding="utf-8"))
            failure = InputError if found["code"] == BAD_INPUT else OutsideFailure
            raise failure(found["message"])
    for shard in shards:
        if not shard.path.exists():
            raise InputError(f"{shard.path}: was not written; do all workers share this directory?")


def write_on_worker(shard: RecordShard) -> None:
    """Write one shard; an error of the source or of a disk is written to a file beside it.

    Such errors are not raised, as a runner would retry the shard in vain and show the user a long
    traceback.
    """
    if shard.path.exists() or any(shard.path.parent.glob(f"*{FAILURE}")):
        return
    try:
        with one_line_errors():
            write_shard(shard, _files(shard.source, shard.kind, shard.digest))
    except (InputError, OutsideFailure) as error:
        code = BAD_INPUT if isinstance(error, InputError) else SAVED
        write_json(_failure(shard), {"code": code, "message": str(error)})


@functools.lru_cache(maxsize=1)
def _files(source: Path, kind: str, digest: str) -> RecordFiles:
    files = read_record_files(source)
    if files.digests.get(kind) != digest:
        raise InputError(f"{source}: {kind}.jsonl or clips.jsonl changed while it was packed")
    return files


def _failure(shard: RecordShard) -> Path:
    return shard.path.with_name(shard.path.name + FAILURE)


@contextmanager
def _written(shards: Sequence[RecordShard], advance: Callable[[int], None]) -> Iterator[None]:
    """Report shards as their files appear, as runners report nothing before they finish."""
    ended = threading.Event()

    def watch() -> None:
        waiting = list(shards)
        while not ended.wait(1.0):
            for shard in [shard for shard in waiting if shard.path.exists()]:
                advance(shard.stop - shard.start)
                waiting.remove(shard)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
