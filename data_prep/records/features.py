"""`stepdiff prep features`: encodes every packed clip once, for small language models."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from flax import nnx
from rich.console import Console
from rich.progress import Progress

from stepdiff_jax.config import EncoderConfig, Experiment
from stepdiff_jax.data.features import write_features
from stepdiff_jax.data.records import clip_ids, clip_splits, open_records
from stepdiff_jax.data.visual import ClipFrames
from stepdiff_jax.inference.encode import encode_clips
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.weights.fingerprint import fingerprint
from stepdiff_jax.weights.modules import load_encoder


def cache_features(experiment: Experiment, splits: Sequence[str]) -> dict[str, int]:
    """Cache the features of all clips in some splits of an experiment's data; by default in all.

    Returns:
        split -> number of clips.
    Raises:
        InputError: the data, a split or the encoder's weights are missing or invalid.
    """
    config, data = experiment.encoder, Path(experiment.data.directory)
    counts = {split: len(clip_ids(data, split)) for split in splits or clip_splits(data)}
    encoder = load_encoder(config, experiment.weights.encoder)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("Encoding", total=sum(counts.values()))
        for split in counts:
            cache_split(encoder, config, data, split, lambda done: progress.advance(bar, done))
    return counts


def cache_split(
    encoder: InternVideo,
    config: EncoderConfig,
    data: Path,
    split: str,
    advance: Callable[[int], object],
) -> np.ndarray:
    """Cache the tokens of a split's clips; returns their pooled features, float32 [clips, D].

    Args:
        advance: called with the number of clips after each batch.
    """
    frames = ClipFrames(open_records(data, "clips", split), config)
    pooled: list[np.ndarray] = []

    def tokens() -> Iterator[np.ndarray]:
        for clip_tokens, feature in encode_clips(encoder, frames, progress=advance):
            pooled.append(feature)
            yield clip_tokens

    identity = fingerprint(nnx.state(encoder))
    write_features(data, split, clip_ids(data, split), tokens(), identity)
    return np.stack(pooled)
