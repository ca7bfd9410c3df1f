"""`stepdiff prep pack`: stored frames and JSON Lines files -> ArrayRecord datasets, through TFDS.

Shards are written in order, so a record's index is that of its line within its split. We write
them ourselves: TFDS's `GeneratorBasedBuilder` buffers a split and spills it through TensorFlow
beyond 1 GB, and its `ShardBasedBuilder` permutes the lengths of more than ten shards if Beam wrote
them.
"""

import contextlib
import functools
import io
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from rich.console import Console
from rich.progress import Progress
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder

from data_prep.records.dataset.files import RecordFiles, read_record_files
from data_prep.records.dataset.shards import FEATURES, RecordShard, by_split, write_shard
from data_prep.schema.stages import Summary
from data_prep.stage.files import write_summary
from stepdiff_jax.data import records
from stepdiff_jax.errors import InputError
from stepdiff_jax.local_path import local_path

SUMMARY_FILE = "pack.summary.json"
WITHOUT_FRAMES = "a clip without frames"

SHARD_RECORDS = 1024
"""Records per shard: 140 MB for clips of 8 frames."""

WriteShards = Callable[[Sequence[RecordShard], RecordFiles, Callable[[int], None]], None]
"""Writes all shards of these files, and calls the function with the number of records written."""


def pack(
    source: Path | str,
    destination: Path | str,
    shard_records: int = SHARD_RECORDS,
) -> dict[str, int]:
    """Pack the clips, pairs, sequences and single clips of `source` into datasets.

    A dataset in `destination` is kept if it was packed from the same files, and replaced otherwise.
    Datasets are written atomically. pack.summary.json counts packed and dropped records.

    Returns:
        number of records of each kind, over all splits.
    Raises:
        InputError: see `read_record_files`; also if frames cannot be read.
    """

    def write_shards(
        shards: Sequence[RecordShard], files: RecordFiles, advance: Callable[[int], None]
    ) -> None:
        for shard in shards:
            write_shard(shard, files, advance)

    return pack_kinds(Path(source), Path(destination), write_shards, shard_records)


def pack_kinds(
    source: Path, destination: Path, write_shards: WriteShards, shard_records: int
) -> dict[str, int]:
    """`pack` with a given function that writes the shards."""
    if shard_records < 1:
        raise InputError(f"--shard-records must be at least 1, got {shard_records}")
    data_dir = local_path(destination)
    files = read_record_files(source)
    tfds.disable_progress_bar()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for kind in files.digests:
            if _is_packed(destination, kind, files.digests[kind]):
                continue
            bar = progress.add_task(f"Packing {kind}", total=_number(files, kind))
            advance = functools.partial(progress.advance, bar)
            builder = StepdiffPairs(
                config=kind,
                data_dir=data_dir,
                file_format="array_record",
                source=source,
                files=files,
                shard_records=shard_records,
                write_shards=_writer(write_shards, files, advance),
            )
            _write(builder)
    counts = {kind: _number(files, kind) for kind in files.digests}
    write_summary(destination / SUMMARY_FILE, _summary(files, counts))
    return counts


def _writer(
    write_shards: WriteShards, files: RecordFiles, advance: Callable[[int], None]
) -> Callable[[Sequence[RecordShard]], None]:
    return lambda shards: write_shards(shards, files, advance)


def _summary(files: RecordFiles, counts: Mapping[str, int]) -> dict[str, Any]:
    """Records read, packed and dropped of each kind, and the decoders of the frames."""
    dropped = {kind: files.dropped[kind] for kind in counts}
    return Summary(
        entered={kind: counts[kind] + dropped[kind] for kind in counts},
        left=dict(counts),
        dropped={WITHOUT_FRAMES: dropped},
        decoders=_decoders(files),
        input=files.digests,
    ).row()


def _decoders(files: RecordFiles) -> list[str]:
    return sorted({clip.frames.decoder for clips in files.clips.values() for clip in clips})


class StepdiffPairs(FileReaderBuilder):
    """The datasets `stepdiff_pairs/{clips,pairs,sequences,single}`."""

    # TFDS writes this into dataset_info.json; fixed, so that moving the module changes no files.
    __module__ = "data_prep.pack"
    VERSION = tfds.core.Version(records.VERSION)
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=kind) for kind in records.KINDS]  # noqa: RUF012

    def __init__(
        self,
        *,
        source: Path,
        files: RecordFiles,
        shard_records: int,
        write_shards: Callable[[Sequence[RecordShard]], None],
        **arguments: Any,
    ):
        self._source, self._files = source, files
        self._shard_records, self._write_shards = shard_records, write_shards
        super().__init__(**arguments)

    def _info(self) -> tfds.core.DatasetInfo:
        kind, digests = self._kind, self._files.digests
        metadata: dict[str, Any] = {"source": digests[kind], "clips": digests["clips"]}
        if kind == "clips":
            metadata["clip_ids"] = {
                split: [clip.id for clip in clips] for split, clips in self._files.clips.items()
            }
            metadata["decoders"] = _decoders(self._files)
            metadata["frames"] = self._files.frames
        return tfds.core.DatasetInfo(
            builder=self,
            description="Clips of instructional video and what is asked about them.",
            features=tfds.features.FeaturesDict(FEATURES[kind]),
            metadata=tfds.core.MetadataDict(metadata),
            disable_shuffling=True,
        )

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        del dl_manager, download_config
        shards = {split: self._shards(split) for split in by_split(self._files, self._kind)}
        self._write_shards([shard for group in shards.values() for shard in group])
        self.info.set_splits(
            tfds.core.SplitDict([self._split_info(split, group) for split, group in shards.items()])
        )

    @property
    def _kind(self) -> str:
        return self.builder_config.name

    def _shards(self, split: str) -> list[RecordShard]:
        number = len(by_split(self._files, self._kind)[split])
        starts = range(0, number, self._shard_records)
        names = self._get_filename_template(split)
        return [
            RecordShard(
                self._source,
                self._files.digests[self._kind],
                self._kind,
                split,
                start,
                min(start + self._shard_records, number),
                Path(names.sharded_filepath(shard_index=index, num_shards=len(starts))),
            )
            for index, start in enumerate(starts)
        ]

    def _split_info(self, split: str, shards: Sequence[RecordShard]) -> tfds.core.SplitInfo:
        return tfds.core.SplitInfo(
            name=split,
            shard_lengths=[shard.stop - shard.start for shard in shards],
            num_bytes=sum(shard.path.stat().st_size for shard in shards),
            filename_template=self._get_filename_template(split),
        )


def _number(files: RecordFiles, kind: str) -> int:
    return sum(map(len, by_split(files, kind).values()))


def _is_packed(destination: Path, kind: str, digest: str) -> bool:
    try:
        return records.dataset_digest(destination, kind) == digest
    except InputError:
        return False


def _write(builder: StepdiffPairs) -> None:
    config = tfds.download.DownloadConfig(
        download_mode=tfds.download.GenerateMode.REUSE_CACHE_IF_EXISTS
    )
    # Left by a killed run; a failed run cleans up after itself.
    for unfinished in builder.data_path.parent.glob("incomplete.*"):
        shutil.rmtree(unfinished)
    # TFDS reports downloads and creates a directory for them, although there are none.
    with (
        tempfile.TemporaryDirectory() as downloads,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        builder.download_and_prepare(download_dir=downloads, download_config=config)
