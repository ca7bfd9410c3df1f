"""`stepdiff prep pack --beam-runner`: the shards of `pack`, written by Beam workers.

Only shard descriptions go through Beam, which keeps several times the data it moves in memory.
Workers read the source and write the destination by path, so both must be on shared storage.
"""

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner, PipelineState, create_runner

from data_prep.records.dataset.files import RecordFiles, read_record_files
from data_prep.records.dataset.shards import RecordShard, write_shard
from data_prep.records.pack import SHARD_RECORDS, pack_kinds
from stepdiff_jax.errors import InputError

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
        InputError: see `pack`; also if the runner is unknown, an option is malformed, the run was
            cancelled, or the workers do not share storage.
    """
    write_shards = functools.partial(
        _write_shards, runner=_runner(runner), options=_options(options)
    )
    # Absolute: a worker may run in another directory.
    paths = (Path(source).absolute(), Path(destination).absolute())
    return pack_kinds(*paths, write_shards, shard_records)


def _runner(name: str) -> PipelineRunner:
    if name.lower() in ("direct", "directrunner"):
        # What DirectRunner falls back to after trying to download Prism, a program in Go.
        return FnApiRunner()
    try:
        return create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise InputError(f"--beam-runner {name}: {error}") from error


def _options(options: Sequence[str]) -> PipelineOptions:
    switches: dict[str, bool] = {}
    values: dict[str, list[str]] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not (name and equals):
            raise InputError(f"--beam-options must be NAME=VALUE, got {option!r}")
        if value in ("true", "false"):
            switches[name] = value == "true"
        else:
            values.setdefault(name, []).append(value)
    return PipelineOptions.from_dictionary(switches | values)


def _write_shards(
    shards: Sequence[RecordShard],
    files: RecordFiles,
    advance: Callable[[int], None],
    *,
    runner: PipelineRunner,
    options: PipelineOptions,
) -> None:
    del files  # The workers read them.
    pipeline = beam.Pipeline(runner, options)
    # Without a reshuffle, the worker that creates the shards would write them all.
    _ = pipeline | beam.Create(shards) | beam.Reshuffle() | beam.Map(write_on_worker)
    with _written(shards, advance):
        state = pipeline.run().wait_until_finish()
    if state != PipelineState.DONE:
        raise InputError(f"the Beam pipeline ended as {state}")
    for shard in shards:
        if _failure(shard).exists():
            raise InputError(_failure(shard).read_text(encoding="utf-8"))
    for shard in shards:
        if not shard.path.exists():
            raise InputError(f"{shard.path}: was not written; do all workers share this directory?")


def write_on_worker(shard: RecordShard) -> None:
    """Write one shard; an error in the source is written to a file beside it.

    Input errors are not raised, as a runner would retry the shard in vain and show the user a long
    traceback.
    """
    if any(shard.path.parent.glob(f"*{FAILURE}")):
        return
    try:
        write_shard(shard, _files(shard.source, shard.kind, shard.digest))
    except InputError as error:
        _failure(shard).write_text(str(error), encoding="utf-8")


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
