"""Decodes clips into JPEG frames, in several processes. Kept small: every process imports it."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

import numpy as np

from data_prep.record_files import ClipSource
from stepdiff_jax.data.video import encode_jpeg, sample_frames
from stepdiff_jax.errors import InputError

FRAMES = 8
"""Frames of a clip (section 4: 8 frames, uniformly)."""


def decode_clip(clip: ClipSource) -> tuple[list[bytes], np.ndarray]:
    """JPEG frames [8] and their times, float32 [8] in seconds.

    Raises:
        InputError: the video cannot be read there; names the line of the clip.
    """
    try:
        sampled = sample_frames(clip.video, clip.start, clip.end, FRAMES)
    except InputError as error:
        raise InputError(f"{clip.place}: clip {clip.id!r}: {error}") from error
    return encode_jpeg(sampled.frames), sampled.times.astype(np.float32)


class ClipDecoder:
    """Decodes clips in order, ahead of whoever reads them."""

    def __init__(self, executor: Executor | None):
        self._executor = executor

    def __call__(self, clips: Sequence[ClipSource]) -> Iterator[tuple[list[bytes], np.ndarray]]:
        if self._executor is None:
            return map(decode_clip, clips)
        return self._executor.map(decode_clip, clips, chunksize=4)


@contextmanager
def clip_decoder(processes: int) -> Iterator[ClipDecoder]:
    """A decoder over `processes` processes; one works in the caller's."""
    if processes <= 1:
        yield ClipDecoder(None)
        return
    # Spawned, not forked: the caller may run threads of JAX and of TFDS.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as executor:
        yield ClipDecoder(executor)
