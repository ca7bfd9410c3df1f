"""HT-Step's annotations, taxonomy and five splits, and HowTo100M's captions in three formats."""

import csv
import functools
import itertools
import json
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.kitchen.oracle import TrueClip, annotated_differences
from data_prep.kitchen.videos import FRAMES_PER_SECOND, VideoPlan, render_video
from data_prep.kitchen.world_files import clip_id, plan_video, world_texts
from data_prep.schema.differences import Difference
from tests.rehearsal.published.videos import FORMATS, write_video

SPLITS = {"train": 24, "val_seen": 5, "val_unseen": 4, "test_seen": 4, "test_unseen": 4}
"""HT-Step's splits, and how many videos of each are made."""

KITCHEN_SPLITS = {"train": "train", "val": "validation", "test": "test"}
KEYSTEPS = 5
ENLARGED = 4
"""The kitchen's frames of 64 x 64 are enlarged to 256 x 256."""


@dataclass(frozen=True)
class Published:
    """The directories of the published files."""

    htstep: Path
    videos: Path
    captions: Path
    """raw_caption.json; sentencified_htm_1200k.json and htm_aa_v1.csv are beside it."""
    benchmark: Path
    tokenizer: Path


def plans() -> dict[str, list[VideoPlan]]:
    """The videos of every split; ids of eleven characters, as YouTube's."""
    found = {}
    for number, (split, count) in enumerate(SPLITS.items()):
        kitchen = KITCHEN_SPLITS[split.split("_")[0]]
        first = 1000 * number
        found[split] = [plan_video(kitchen, first + k, KEYSTEPS, seed=13) for k in range(count)]
    return found


def write_annotations(directory: Path, planned: dict[str, list[VideoPlan]]) -> None:
    """annotations.json, taxonomy.csv and video_splits.json."""
    directory.mkdir(parents=True)
    texts = world_texts(planned)
    for name in ("annotations.json", "taxonomy.csv", "video_splits.json"):
        (directory / name).write_text(texts[name])


def write_captions(directory: Path, captions: dict[str, dict[str, list]]) -> None:
    """The same narration as raw_caption.json, as sentences, and as HTM-AA's table."""
    directory.mkdir(parents=True)
    raw = json.dumps(captions)
    (directory / "raw_caption.json").write_text(raw)
    (directory / "sentencified_htm_1200k.json").write_text(raw)
    with (directory / "htm_aa_v1.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("vid", "timestamp", "text"))
        for video, said in captions.items():
            for text, start, end in zip(said["text"], said["start"], said["end"]):
                table.writerow((video, round((start + end) / 2, 2), text))


def captions_of(planned: dict[str, list[VideoPlan]]) -> dict[str, dict[str, list]]:
    """Every video's narration in HowTo100M's form."""
    return json.loads(world_texts(planned)["raw_caption.json"])


def write_videos(directory: Path, planned: dict[str, list[VideoPlan]]) -> dict[str, int]:
    """Every video under its id, in the three formats in turn; returns the count of each ending."""
    directory.mkdir(parents=True, exist_ok=True)
    every = [plan for group in planned.values() for plan in group]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        written = executor.map(functools.partial(_write, directory), itertools.count(), every)
        return dict(Counter(written))


def differences(planned: dict[str, list[VideoPlan]]) -> list[Difference]:
    """Annotated differences between clips of all splits, also of different ones."""
    clips = [
        TrueClip(clip_id(plan.video, segment), segment.scene)
        for group in planned.values()
        for plan in group
        for segment in plan.segments
    ]
    return [Difference.of(row) for row in annotated_differences(clips, references=12, seed=1)]


def _write(directory: Path, number: int, plan: VideoPlan) -> str:
    form = FORMATS[number % len(FORMATS)]
    write_video(directory / f"{plan.video}.{form.ending}", _frames(plan), form, plan.duration)
    return form.ending


def _frames(plan: VideoPlan) -> Iterator[tuple[float, np.ndarray]]:
    for number, image in enumerate(render_video(plan)):
        large = image.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
        yield number / FRAMES_PER_SECOND, large
