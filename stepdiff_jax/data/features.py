"""A cache of encoder features, for language models so small that encoding would dominate.

Two files beside the datasets: `features/<split>.npy`, float16 [clips, tokens, width], and its
header `features/<split>.json` with the clip ids and the fingerprint of the encoder.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stepdiff_jax.errors import InputError
from stepdiff_jax.files import replacing, write_json

FEATURES_DIRECTORY = "features"
_DTYPE = np.dtype(np.float16)


@dataclass(frozen=True)
class FeatureCache:
    """Features by clip index, float16 [tokens, width], read through a memory map."""

    features: np.ndarray
    clip_ids: tuple[str, ...]
    fingerprint: str
    path: Path

    @classmethod
    def open(cls, directory: Path | str, split: str) -> "FeatureCache":
        """Map the features of one split.

        Raises:
            InputError: the files are missing or do not belong together.
        """
        path, header_path = _paths(Path(directory), split)
        if not header_path.is_file():
            raise InputError(
                f"{header_path}: no features here (stepdiff prep features writes them)"
            )
        try:
            header = json.loads(header_path.read_text())
            ids, fingerprint = tuple(header["clip_ids"]), str(header["fingerprint"])
            features = np.load(path, mmap_mode="r")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not readable as features: {error}") from error
        if list(features.shape) != header.get("shape") or len(features) != len(ids):
            raise InputError(
                f"{path}: shape {list(features.shape)}, its header has {header.get('shape')} and "
                f"{len(ids)} clips"
            )
        return cls(features, ids, fingerprint, path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Tokens and width of one clip."""
        return self.features.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        return self.features.dtype

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, clip: int) -> np.ndarray:
        return self.features[clip]


def write_features(
    directory: Path | str,
    split: str,
    clip_ids: Sequence[str],
    arrays: Iterable[np.ndarray],
    fingerprint: str,
) -> Path:
    """Write a cache atomically; returns the path of its array.

    Args:
        arrays: features [tokens, width] of each clip, in the order of `clip_ids`.
    Raises:
        InputError: there are more or fewer arrays than ids, their shapes differ, or float16 cannot
            represent a feature.
    """
    path, header_path = _paths(Path(directory), split)
    with replacing(path) as unfinished:
        shape = _write_array(unfinished, clip_ids, arrays)
        # An array without a header is ignored, so an old header never describes a new array.
        header_path.unlink(missing_ok=True)
    header = {"fingerprint": fingerprint, "shape": shape, "clip_ids": list(clip_ids)}
    write_json(header_path, header)
    return path


def _write_array(path: Path, clip_ids: Sequence[str], arrays: Iterable[np.ndarray]) -> list[int]:
    features: np.memmap | None = None
    count = 0
    for count, array in enumerate(arrays, start=1):
        values = np.asarray(array)
        if features is None:
            shape = (len(clip_ids), *values.shape)
            features = np.lib.format.open_memmap(path, "w+", dtype=_DTYPE, shape=shape)
        if count > len(clip_ids):
            break
        if values.shape != features.shape[1:]:
            raise InputError(
                f"features of clip {clip_ids[count - 1]!r} are {list(values.shape)}, those of the "
                f"first clip {list(features.shape[1:])}"
            )
        with np.errstate(over="ignore"):
            features[count - 1] = values.astype(_DTYPE)
        if not np.isfinite(features[count - 1]).all():
            raise InputError(f"features of clip {clip_ids[count - 1]!r} are not finite in float16")
    if features is None or count != len(clip_ids):
        found = f"more than {len(clip_ids)}" if count > len(clip_ids) else str(count)
        raise InputError(f"{path.parent}: features of {found} clips for {len(clip_ids)} clip ids")
    features.flush()
    return list(features.shape)


def _paths(directory: Path, split: str) -> tuple[Path, Path]:
    base = directory / FEATURES_DIRECTORY
    return base / f"{split}.npy", base / f"{split}.json"
