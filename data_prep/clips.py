"""Joins HT-Step's clips and HowTo100M's narration into clips.jsonl."""

import os
from collections.abc import Iterable
from pathlib import Path

from data_prep.howto100m import narration, read_captions
from data_prep.htstep import KeystepClip, read_htstep
from data_prep.record_files import CLIPS_FILE
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import write_jsonl

VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv")


def write_clips(
    htstep: Path, captions: Path, videos: Path, destination: Path, *, margin: float = 0.0
) -> int:
    """Write `destination`/clips.jsonl; returns the number of clips.

    Args:
        htstep: directory of HT-Step's three files.
        captions: HowTo100M's raw_caption.json, or a sentence-level file of the same form. A video
            that it lacks has an empty narration.
        videos: directory of `<video>.mp4`, `.webm` or `.mkv`; named in clips.jsonl by paths
            relative to `destination`.
        margin: see `howto100m.narration`; seconds.
    Raises:
        InputError: see `read_htstep` and `read_captions`; a video with no file.
    """
    clips = read_htstep(htstep)
    paths = _video_paths({clip.video: None for clip in clips}, videos)
    spoken = read_captions(captions, paths.keys())
    write_jsonl(
        destination / CLIPS_FILE,
        (
            _line(
                clip,
                os.path.relpath(paths[clip.video], destination),
                narration(spoken.get(clip.video, ()), clip.start, clip.end, margin),
            )
            for clip in clips
        ),
    )
    return len(clips)


def _line(clip: KeystepClip, video: str, spoken: str) -> dict[str, str | float]:
    return {
        "clip": clip.id,
        "video": video,
        "start": clip.start,
        "end": clip.end,
        "keystep": clip.keystep,
        "activity": clip.activity,
        "narration": spoken,
        "split": clip.split,
    }


def _video_paths(names: Iterable[str], directory: Path) -> dict[str, Path]:
    present = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    paths = {}
    for name in names:
        files = [f"{name}{suffix}" for suffix in VIDEO_SUFFIXES if f"{name}{suffix}" in present]
        if not files:
            raise InputError(f"{directory}: no file of video {name!r} ({name}{VIDEO_SUFFIXES[0]})")
        paths[name] = directory / files[0]
    return paths
