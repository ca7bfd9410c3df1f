"""The visual input of a clip: its frames, or its cached features."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.data.preprocess import resize_and_crop
from stepdiff_jax.data.records import ClipRecord
from stepdiff_jax.data.video import decode_jpeg
from stepdiff_jax.errors import InputError


class VisualSource(Protocol):
    """Arrays of one shape and dtype by clip index; thread-safe."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __len__(self) -> int: ...
    def __getitem__(self, clip: int) -> np.ndarray: ...


def encoder_frames(record: ClipRecord, encoder: EncoderConfig) -> np.ndarray:
    """The frames as the encoder expects them, before normalisation: uint8 [T, S, S, 3].

    Raises:
        InputError: the clip was stored with another number of frames, or a frame is not an image.
    """
    _require_frames(record.id, len(record.frames), encoder)
    decoded = np.stack([decode_jpeg(frame) for frame in record.frames])
    return resize_and_crop(decoded, encoder.resized_side, encoder.image_size)


def _require_frames(clip: str, frames: int, encoder: EncoderConfig) -> None:
    if frames != encoder.frames:
        raise InputError(f"clip {clip!r} has {frames} frames, encoder.frames is {encoder.frames}")


class ClipFrames:
    """Frames of clip records, decoded on access: uint8 [T, S, S, 3]."""

    dtype = np.dtype(np.uint8)

    def __init__(self, records: Sequence[ClipRecord], encoder: EncoderConfig):
        self._records, self._encoder = records, encoder
        self.shape = (encoder.frames, encoder.image_size, encoder.image_size, 3)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, clip: int) -> np.ndarray:
        return encoder_frames(self._records[clip], self._encoder)


class SourceFrames:
    """Frames of clips from wherever they are, read on access: uint8 [T, S, S, 3].

    caches: none; for `FoundClips`, which may read features instead.
    """

    dtype = np.dtype(np.uint8)
    caches = ()

    def __init__(
        self, clips: Sequence[str], frames: Callable[[str], np.ndarray], encoder: EncoderConfig
    ):
        """
        Args:
            frames: gives a clip's frames, uint8 [T, H, W, 3]; thread-safe.
        """
        self._clips, self._frames, self._encoder = clips, frames, encoder
        self.shape = (encoder.frames, encoder.image_size, encoder.image_size, 3)

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, clip: int) -> np.ndarray:
        name, encoder = self._clips[clip], self._encoder
        frames = self._frames(name)
        _require_frames(name, len(frames), encoder)
        return resize_and_crop(frames, encoder.resized_side, encoder.image_size)


def gather_visuals(source: VisualSource, clips: np.ndarray) -> np.ndarray:
    """Array [*clips.shape, *source.shape] of the source's dtype; zeros where a clip is -1.

    A clip that occurs several times is read once.
    """
    visual = np.zeros((*clips.shape, *source.shape), source.dtype)
    for clip in np.unique(clips[clips >= 0]):
        visual[clips == clip] = source[int(clip)]
    return visual
