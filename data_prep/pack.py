"""`stepdiff prep pack`: videos and JSON Lines files -> ArrayRecord datasets, through TFDS.

The builder is shard-based because `GeneratorBasedBuilder` buffers a split and spills it through
TensorFlow beyond 1 GB; shards are written in order, so a record's index is its line's place within
its split.
"""

import contextlib
import functools
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from rich.console import Console
from rich.progress import Progress

from data_prep.clip_frames import ClipDecoder, clip_decoder
from data_prep.record_files import ClipSource, RecordFiles, read_record_files
from data_prep.record_writer import SortedWriter
from stepdiff_jax.data import records
from stepdiff_jax.data.records import PairRecord, QuestionAnswer, SequenceRecord
from stepdiff_jax.errors import InputError

SHARD_RECORDS = 1024
"""Records of a shard, which TFDS holds in memory: 140 MB for clips of 8 frames."""

Examples = Iterator[tuple[int, dict[str, Any]]]


def pack(source: Path | str, destination: Path | str, processes: int = 2) -> dict[str, int]:
    """Pack clips, pairs, sequences and single clips of `source` into datasets in `destination`.

    What was packed from the same files before is kept; a dataset of other files is replaced. A
    dataset appears whole or not at all.

    Returns:
        records of each kind, all splits together.
    Raises:
        InputError: see `read_record_files`, and a video that cannot be read.
    """
    source, destination = Path(source), Path(destination)
    files = read_record_files(source)
    tfds.disable_progress_bar()
    with (
        Progress(console=Console(stderr=True), transient=True) as progress,
        clip_decoder(processes) as decoder,
    ):
        for kind in files.digests:
            if _is_packed(destination, kind, files.digests[kind]):
                continue
            total = sum(map(len, _by_split(files, kind).values()))
            bar = progress.add_task(f"Packing {kind}", total=total)
            builder = StepdiffPairs(
                config=kind,
                data_dir=str(destination),
                file_format="array_record",
                files=files,
                decoder=decoder,
                advance=functools.partial(progress.advance, bar),
            )
            _write(builder)
    return {kind: sum(map(len, _by_split(files, kind).values())) for kind in files.digests}


class StepdiffPairs(tfds.core.ShardBasedBuilder):
    """The datasets `stepdiff_pairs/{clips,pairs,sequences,single}`."""

    VERSION = tfds.core.Version(records.VERSION)
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=kind) for kind in records.KINDS]  # noqa: RUF012

    def __init__(
        self,
        *,
        files: RecordFiles,
        decoder: ClipDecoder,
        advance: Callable[[], None],
        **arguments: Any,
    ):
        self._files, self._decoder, self._advance = files, decoder, advance
        super().__init__(**arguments)

    def _info(self) -> tfds.core.DatasetInfo:
        kind = self.builder_config.name
        digests = self._files.digests
        metadata: dict[str, Any] = {"source": digests[kind], "clips": digests["clips"]}
        if kind == "clips":
            metadata["clip_ids"] = {
                split: [clip.id for clip in clips] for split, clips in self._files.clips.items()
            }
        return tfds.core.DatasetInfo(
            builder=self,
            description="Clips of instructional video and what is asked about them.",
            features=tfds.features.FeaturesDict(_FEATURES[kind]),
            metadata=tfds.core.MetadataDict(metadata),
            disable_shuffling=True,
        )

    def _example_writer(self) -> SortedWriter:
        return SortedWriter(self.info.file_format)

    def _shard_iterators_per_split(
        self, dl_manager: Any
    ) -> dict[str, list[Callable[[], Examples]]]:
        del dl_manager
        return {
            split: [
                functools.partial(self._examples, group[start : start + SHARD_RECORDS])
                for start in range(0, len(group), SHARD_RECORDS)
            ]
            for split, group in _by_split(self._files, self.builder_config.name).items()
        }

    def _examples(self, group: Sequence[Any]) -> Examples:
        if isinstance(group[0], ClipSource):
            examples = map(_clip, group, self._decoder(group))
        else:
            examples = map(_pair if isinstance(group[0], PairRecord) else _sequence, group)
        for number, example in enumerate(examples):
            self._advance()
            yield number, example


def _by_split(files: RecordFiles, kind: str) -> Mapping[str, Sequence[Any]]:
    return files.clips if kind == "clips" else files.records[kind]


def _is_packed(destination: Path, kind: str, digest: str) -> bool:
    try:
        return records.dataset_digest(destination, kind) == digest
    except InputError:
        return False


def _write(builder: StepdiffPairs) -> None:
    config = tfds.download.DownloadConfig(
        download_mode=tfds.download.GenerateMode.REUSE_CACHE_IF_EXISTS
    )
    # What a killed run left behind; one that failed has cleaned up after itself.
    for unfinished in builder.data_path.parent.glob("incomplete.*"):
        shutil.rmtree(unfinished)
    # TFDS prints about downloads, and makes a directory for them; there are none.
    with (
        tempfile.TemporaryDirectory() as downloads,
        contextlib.redirect_stdout(io.StringIO()),
    ):
        builder.download_and_prepare(download_dir=downloads, download_config=config)


_TEXT = tfds.features.Text()
_FEATURES: dict[str, dict[str, Any]] = {
    "clips": {
        "id": _TEXT,
        "keystep": _TEXT,
        "activity": _TEXT,
        "narration": _TEXT,
        "frames": tfds.features.Sequence(_TEXT),
        # Arrays as bytes: fifty times faster to read than TFDS's own encoding.
        "times": tfds.features.Tensor(
            shape=(None,), dtype=np.float32, encoding=tfds.features.Encoding.BYTES
        ),
    },
    "pairs": {
        "reference": np.int32,
        "candidate": np.int32,
        "questions": tfds.features.Sequence(
            {"question": _TEXT, "answer": _TEXT, "weight": np.float32}
        ),
    },
    "sequences": {
        "clips": tfds.features.Sequence(np.int32),
        "narrations": tfds.features.Sequence(_TEXT),
    },
}
_FEATURES["single"] = _FEATURES["sequences"]


def _clip(clip: ClipSource, decoded: tuple[list[bytes], np.ndarray]) -> dict[str, Any]:
    frames, times = decoded
    return {
        "id": clip.id,
        "keystep": clip.keystep,
        "activity": clip.activity,
        "narration": clip.narration,
        "frames": frames,
        "times": times,
    }


def _pair(pair: PairRecord) -> dict[str, Any]:
    return {
        "reference": pair.reference,
        "candidate": pair.candidate,
        "questions": [_question(question) for question in pair.questions],
    }


def _question(question: QuestionAnswer) -> dict[str, Any]:
    return {
        "question": question.question,
        "answer": question.answer,
        "weight": question.weight,
    }


def _sequence(sequence: SequenceRecord) -> dict[str, Any]:
    return {"clips": list(sequence.clips), "narrations": list(sequence.narrations)}
