"""Clips by id, whatever split they lie in: a benchmark's clips come from several."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stepdiff_jax.config import DataConfig, EncoderConfig
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.data.pipeline import open_visual
from stepdiff_jax.data.records import ClipRecord, clip_ids, clip_splits, open_records
from stepdiff_jax.data.visual import VisualSource
from stepdiff_jax.errors import InputError

NAMED = 3
"""Number of missing clips that an error names."""


class Place(NamedTuple):
    """Where a clip lies: its split, and its number (index) in that split."""

    split: str
    number: int


def find_clips(
    directory: Path | str, clips: Collection[str], split: str | None = None
) -> dict[str, Place]:
    """Clip id -> where it lies in a directory of datasets, in the order of `clips`.

    A clip that several splits hold with the same frames is taken from the first of them.

    Args:
        split: look in this split only; None looks in all.
    Raises:
        InputError: the data or the split is missing, a clip is missing, or two splits hold a clip
            of the same id with different frames.
    """
    splits = clip_splits(directory) if split is None else (split,)
    wanted = frozenset(clips)
    found: dict[str, Place] = {}
    for name in splits:
        for index, clip in enumerate(clip_ids(directory, name)):
            if clip not in wanted:
                continue
            place = found.setdefault(clip, Place(name, index))
            if place != (name, index):
                _require_same(directory, clip, place, Place(name, index))
    label = f"split {split}" if split else f"splits {', '.join(splits)}"
    require_clips(clips, found, f"{directory}, {label}")
    return {clip: found[clip] for clip in clips}


def require_clips(clips: Collection[str], known: Collection[str], source: str) -> None:
    """Raise InputError if the benchmark asks about a clip that `source` lacks."""
    held = frozenset(known)
    missing = [clip for clip in clips if clip not in held]
    if missing:
        names = ", ".join(map(repr, missing[:NAMED])) + ", ..." * (len(missing) > NAMED)
        raise InputError(
            f"{source}: {len(missing)} of the {len(clips)} clips that the benchmark asks about "
            f"are missing: {names}"
        )


class FoundClips:
    """The visual input of some clips, in the order of their places; see `VisualSource`.

    caches: the caches of features that they are read from; none if frames are read.
    """

    def __init__(self, places: Mapping[str, Place], config: DataConfig, encoder: EncoderConfig):
        """Raises InputError as `open_visual`, for every split that holds one of the clips."""
        self._places = list(places.values())
        splits = dict.fromkeys(place.split for place in self._places)
        self._sources: dict[str, VisualSource] = {
            split: open_visual(replace(config, split=split), encoder) for split in splits
        }
        self.caches = [one for one in self._sources.values() if isinstance(one, FeatureCache)]
        first = next(iter(self._sources.values()))
        self.shape, self.dtype = first.shape, first.dtype

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, clip: int) -> np.ndarray:
        split, number = self._places[clip]
        return self._sources[split][number]


def _require_same(directory: Path | str, clip: str, first: Place, second: Place) -> None:
    one, other = (_record(directory, place) for place in (first, second))
    if one.frames != other.frames or not np.array_equal(one.times, other.times):
        raise InputError(
            f"{directory}: clip {clip!r} has other frames in split {first.split} than in split "
            f"{second.split}; choose one with --split"
        )


def _record(directory: Path | str, place: Place) -> ClipRecord:
    return open_records(directory, "clips", place.split)[place.number]
