"""From record sets to training batches, with Grain.

The global stream of rows is a pure function of (seed, row number), and the batch of a step is the
rows [step * B, (step + 1) * B). Every shard reads a contiguous part of each global batch, so the
state of its iterator is just the step, and a job can resume on a different number of hosts.
"""

import sys
from typing import NamedTuple

import grain
import numpy as np

from stepdiff_jax.check_config import check_mixture
from stepdiff_jax.config import DataConfig, EncoderConfig
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.data.lengths import record_lengths
from stepdiff_jax.data.packing import RowShape
from stepdiff_jax.data.records import clip_ids, open_records
from stepdiff_jax.data.row_stream import EpochPlans, RowStream
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.data.visual import ClipFrames, VisualSource, gather_visuals
from stepdiff_jax.errors import InputError
from stepdiff_jax.layout import PackedRows


class Batch(NamedTuple):
    """One shard's part of a global batch: B rows of at most V videos each.

    rows: PackedRows [B, L].
    visual: uint8 frames [B, V, T, S, S, 3] or float16 features [B, V, N, C]; zeros for
        absent clips.
    clips: int32 [B, V], clip indices, -1 for absent clips.
    """

    rows: PackedRows
    visual: np.ndarray
    clips: np.ndarray


def training_batches(
    config: DataConfig,
    tokenizer: Tokenizer,
    encoder: EncoderConfig,
    latents: int,
    *,
    seed: int,
    shard: int = 0,
    shards: int = 1,
) -> grain.IterDataset[Batch]:
    """The endless batches of one data shard, prefetched in threads.

    Sources are mixed by weight, row by row, in a fixed pattern; each repeats forever and is
    reshuffled every epoch. The iterator's state is the step.

    Raises:
        InputError: a record set is missing or empty, the mixture is wrong, a record does not
            fit in a row, the shards do not divide the batch rows, or features are of other clips.
    """
    if not 0 <= shard < shards or config.batch_rows % shards:
        raise InputError(
            f"data.batch_rows {config.batch_rows} cannot be shared evenly by {shards} shards "
            f"(shard {shard})"
        )
    visual = open_visual(config, encoder)
    rows = mixed_rows(config, tokenizer, latents, seed)
    count = config.batch_rows // shards
    source = _Batches(rows, visual, first=shard * count, count=count, stride=config.batch_rows)
    threads = config.prefetch_threads
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
    return grain.MapDataset.source(source).to_iter_dataset(options)


def mixed_rows(
    config: DataConfig, tokenizer: Tokenizer, latents: int, seed: int
) -> grain.MapDataset[tuple[PackedRows, np.ndarray]]:
    """The global stream of packed rows, by row number."""
    check_mixture(config)
    streams = [
        grain.MapDataset.source(_row_stream(config, source.name, tokenizer, latents, seed))
        for source in config.sources
    ]
    return grain.MapDataset.mix(streams, [source.weight for source in config.sources])


def open_visual(config: DataConfig, encoder: EncoderConfig) -> VisualSource:
    """The source of frames or features, checked against the encoder and the clips."""
    if config.visual_input == "frames":
        return ClipFrames(open_records(config.directory, "clips", config.split), encoder)
    if config.visual_input != "features":
        raise InputError(
            f"data.visual_input must be frames or features, got {config.visual_input!r}"
        )
    cache = FeatureCache.open(config.directory, config.split)
    if cache.clip_ids != clip_ids(config.directory, config.split):
        raise InputError(f"{cache.path}: made for other clips than those of {config.directory}")
    if cache.shape != (encoder.tokens, encoder.width):
        raise InputError(
            f"{cache.path}: features are {list(cache.shape)}, the encoder's "
            f"{[encoder.tokens, encoder.width]}"
        )
    return cache


def _row_stream(
    config: DataConfig, name: str, tokenizer: Tokenizer, latents: int, seed: int
) -> RowStream:
    if name == "clips":
        raise InputError("data.mixture: 'clips' has no training targets")
    records = open_records(config.directory, name, config.split)
    shape = RowShape(config.row_length, config.row_videos, config.row_answers)
    lengths = record_lengths(config.directory, name, config.split, records, tokenizer, latents)
    try:
        # The name keeps two sources of equal length from being shuffled identically.
        plans = EpochPlans(lengths, shape, (seed, *name.encode()))
        plans.locate(0)
    except InputError as error:
        raise InputError(f"{config.directory}, {name}, split {config.split}: {error}") from error
    return RowStream(records, plans, shape, tokenizer, latents)


class _Batches:
    """A Grain data source: step -> the rows [first, first + count) of the step's global batch."""

    def __init__(
        self,
        rows: grain.MapDataset[tuple[PackedRows, np.ndarray]],
        visual: VisualSource,
        *,
        first: int,
        count: int,
        stride: int,
    ):
        self._rows, self._visual = rows, visual
        self._first, self._count, self._stride = first, count, stride

    def __len__(self) -> int:
        return sys.maxsize // self._stride

    def __getitem__(self, step: int) -> Batch:
        start = step * self._stride + self._first
        rows, clips = zip(*(self._rows[row] for row in range(start, start + self._count)))
        stacked = PackedRows(*(np.stack(column) for column in zip(*rows)))
        where = np.stack(clips)
        return Batch(stacked, gather_visuals(self._visual, where), where)
