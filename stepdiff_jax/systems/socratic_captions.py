"""Captions that a Socratic model reads, made once and kept beside its predictions."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from stepdiff_jax.evaluation.system import ClipSource
from stepdiff_jax.inference.captioners.base import Captioner, Clip
from stepdiff_jax.jsonl import JsonLine, whole_lines
from stepdiff_jax.progress import ProgressLine


def captions_path(directory: Path, identity: object) -> Path:
    """The file of the captions of one captioner, which `identity` (JSON values) describes."""
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    return directory / f"captions_{digest}.jsonl"


def caption_clips(path: Path, clips: ClipSource, captioner: Captioner) -> dict[str, str]:
    """Clip id -> caption; those that the file lacks are made, and written to it one by one.

    Raises:
        InputError: the file cannot be read, or a clip's frames are missing.
    """
    captions = described(whole_lines(path))
    missing = [clip for clip in clips.ids if clip not in captions]
    if not missing:
        return captions
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file, ProgressLine("captions", len(missing)) as line:
        for clip in missing:
            text = captioner.caption(Clip(clip, clips.frames(clip))).text
            captions[clip] = text
            file.write(json.dumps({"clip": clip, "description": text}) + "\n")
            file.flush()
            line.advance(1)
    return captions


def described(lines: Iterable[JsonLine]) -> dict[str, str]:
    """Clip id -> description; raises InputError if a line lacks one, or a clip is repeated."""
    descriptions: dict[str, str] = {}
    for line in lines:
        clip = line.string("clip")
        if clip in descriptions:
            line.fail("clip", "is repeated", clip)
        descriptions[clip] = line.string("description")
    return descriptions
