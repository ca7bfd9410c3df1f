"""The frames of packed clips by id, whatever split they lie in."""

import hashlib
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from stepdiff_jax.data.find_clips import Place, find_clips
from stepdiff_jax.data.records import ClipRecord, open_records
from stepdiff_jax.data.video import decode_jpeg


class PackedClips:
    """Clips of a directory of datasets, read when they are asked for; thread-safe.

    Its methods raise InputError as `find_clips` does.
    """

    def __init__(self, directory: Path | str, clips: Collection[str], split: str | None = None):
        self.directory, self.split = directory, split
        self.ids = tuple(dict.fromkeys(clips))
        self._facts: dict[str, dict[str, Any]] = {}

    @cached_property
    def places(self) -> dict[str, Place]:
        """Clip id -> its split, and its number in that split."""
        return find_clips(self.directory, self.ids, self.split)

    def record(self, clip: str) -> ClipRecord:
        """The stored clip."""
        split, number = self.places[clip]
        return open_records(self.directory, "clips", split)[number]

    def frames(self, clip: str) -> np.ndarray:
        """uint8 [T, H, W, 3], as stored."""
        return np.stack([decode_jpeg(frame) for frame in self.record(clip).frames])

    def facts(self, clip: str) -> dict[str, Any]:
        """The stored frames' times (seconds), and the SHA-256 of their JPEG bytes."""
        if clip not in self._facts:
            record = self.record(clip)
            digest = hashlib.sha256(b"".join(record.frames)).hexdigest()
            facts = {"times": record.times.tolist(), "frames": digest, "decoder": "JPEG"}
            self._facts[clip] = facts
        return self._facts[clip]
