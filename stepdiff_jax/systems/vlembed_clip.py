"""VLEmbed with CLIP: the mean of its features of single frames (the mean is ours)."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from stepdiff_jax.config import EncoderConfig, Experiment
from stepdiff_jax.data.preprocess import resize_and_crop
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.system import ClipSource, Opening
from stepdiff_jax.inference.captioners.base import spread
from stepdiff_jax.inference.encode import encode_clips, unit_length
from stepdiff_jax.inference.encoder import open_encoder
from stepdiff_jax.progress import ProgressLine
from stepdiff_jax.systems.options import SystemOptions
from stepdiff_jax.systems.vlembed import Variant, VLEmbed
from stepdiff_jax.weights.encoder_config import read_encoder_config


@dataclass(frozen=True)
class ClipEmbeddings(SystemOptions):
    """VLEmbed with CLIP: the mean of the features of a clip's frames; nothing is trained."""

    clip: Path
    """Directory that `stepdiff convert clip` has written."""
    variant: Variant = "average"
    """A pair's feature in DiffMCQ: the mean of both clips', one of them, or the candidate's minus
    the reference's."""

    def open(self, opening: Opening) -> VLEmbed:
        """See `SystemOptions`."""
        encoder = open_encoder(with_clip(opening.experiment, self.clip))
        source = SingleFrames(opening.clips, encoder.config)
        with ProgressLine("frames", len(source)) as line:
            encoded = encode_clips(encoder.model, source, progress=line.advance)
            features = np.stack([feature for _, feature in encoded])
        per_clip = unit_length(features).reshape(len(opening.clips.ids), source.frames, -1)
        videos = dict(zip(opening.clips.ids, per_clip.mean(axis=1), strict=True))
        return VLEmbed(videos, encoder.text_features, self.variant)


def with_clip(experiment: Experiment, directory: Path) -> Experiment:
    """The experiment with the CLIP of a directory as its encoder, on single frames.

    Raises:
        InputError: the directory holds no encoder's config.json, or one with UniBlocks.
    """
    config = read_encoder_config(directory)
    if config.uniblock_layers:
        raise InputError(
            f"{directory}: has UniBlocks, so it is InternVideo's and not CLIP's; "
            "`stepdiff convert clip SOURCE --to DIR` writes CLIP's"
        )
    weights = replace(experiment.weights, encoder=str(directory))
    dtype = experiment.encoder.dtype
    return replace(experiment, encoder=replace(config, frames=1, dtype=dtype), weights=weights)


class SingleFrames:
    """Every frame of some clips as a clip of its own, in order; see `VisualSource`.

    frames: number of frames of each clip, that of the first; those of a shorter one are repeated.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, clips: ClipSource, config: EncoderConfig):
        """Raises InputError if the first clip cannot be read."""
        self._clips, self._config = clips, config
        self.frames = len(clips.frames(clips.ids[0]))
        self.shape = (1, config.image_size, config.image_size, 3)
        self._read = lru_cache(maxsize=2)(self._read_clip)  # batches end within a clip

    def __len__(self) -> int:
        return self.frames * len(self._clips.ids)

    def __getitem__(self, index: int) -> np.ndarray:
        clip, frame = divmod(index, self.frames)
        frames = self._read(self._clips.ids[clip])
        return frames[frame % len(frames)][None]

    def _read_clip(self, clip: str) -> np.ndarray:
        frames = np.stack(spread(self._clips.frames(clip), self.frames))
        return resize_and_crop(frames, self._config.resized_side, self._config.image_size)
