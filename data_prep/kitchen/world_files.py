"""Writes a kitchen world to disk in the formats of HT-Step and HowTo100M.

A world directory holds `videos/<video>.mp4`, HT-Step's `annotations.json`, `taxonomy.csv` and
`video_splits.json`, HowTo100M's `raw_caption.json`, and `truth.jsonl`, which only an oracle reads.
"""

import base64
import csv
import functools
import hashlib
import io
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from rich.progress import Progress

from data_prep.kitchen import language
from data_prep.kitchen.videos import FRAMES_PER_SECOND, Segment, VideoPlan, make_video
from data_prep.kitchen.world import (
    ATTRIBUTES,
    KEYSTEPS,
    SPLITS,
    Scene,
    sample_scene,
)
from data_prep.schema.kitchen import Truth
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import write_text

ACTIVITY = "Cook in the Kitchen"
TAXONOMY_COLUMNS = (
    "global_step_index",
    "activity",
    "step_index",
    "variation",
    "variation_index",
    "headline",
    "paragraph",
)
PARTIAL_MATCHES = 0.04
"""Share of segments annotated as partial matches."""

MISSING = 0.1
OFF_TOPIC = 0.2
SHIFT_SECONDS = 1.0
"""Narration noise: shares of missing and of off-topic sentences, and the maximum time shift."""


def make_world(
    directory: Path,
    *,
    videos: dict[str, int],
    keysteps_per_video: int = 5,
    seed: int,
    processes: int = 2,
) -> None:
    """Render `videos` (split -> count) and write their annotations.

    The result depends on all arguments except `processes`. Existing videos are kept and the
    annotations are written last, so an interrupted call can be repeated.

    Raises:
        InputError: a split is unknown, a count is negative, or there are too many keysteps.
    """
    for split, count in videos.items():
        if split not in SPLITS or count < 0:
            raise InputError(f"videos: {split!r}: {count} (splits: {', '.join(SPLITS)})")
    if not 1 <= keysteps_per_video <= len(KEYSTEPS):
        raise InputError(f"keysteps_per_video: {keysteps_per_video}, not 1 to {len(KEYSTEPS)}")
    plans = {
        split: [plan_video(split, index, keysteps_per_video, seed) for index in range(count)]
        for split, count in videos.items()
    }
    (directory / "videos").mkdir(parents=True, exist_ok=True)
    _render([plan for group in plans.values() for plan in group], directory / "videos", processes)
    for name, text in world_texts(plans).items():
        write_text(directory / name, text)


def plan_video(split: str, index: int, keysteps: int, seed: int) -> VideoPlan:
    """Plan the split's video number `index`: distinct keysteps on one counter, same hands."""
    key = (seed, SPLITS.index(split), index, keysteps)
    rng = np.random.default_rng(key)
    setting = sample_scene(rng, split)
    time = rng.uniform(1.0, 2.0)
    segments = []
    for keystep in rng.permutation(len(KEYSTEPS))[:keysteps]:
        scene = _sample_in_setting(rng, split, int(keystep), setting)
        start = round(time, 5)
        end = round(start + rng.uniform(4.0, 6.0), 5)
        segments.append(Segment(scene, start, end))
        time = end + rng.uniform(0.6, 1.6)
    duration = float(np.ceil(time * FRAMES_PER_SECOND) / FRAMES_PER_SECOND)
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    video = base64.urlsafe_b64encode(digest).decode()[:11]
    return VideoPlan(video, duration, tuple(segments), key)


def world_texts(plans: dict[str, list[VideoPlan]]) -> dict[str, str]:
    """Contents of all text files of the world, by file name."""
    every = [(split, plan) for split, group in plans.items() for plan in group]
    annotations = {plan.video: _annotation(split, plan) for split, plan in every}
    captions = {plan.video: narrate(plan) for _, plan in every}
    splits = {split: [plan.video for plan in group] for split, group in plans.items()}
    return {
        "taxonomy.csv": _taxonomy(),
        "video_splits.json": json.dumps(splits, indent=1),
        "raw_caption.json": json.dumps(captions),
        "truth.jsonl": "".join(_truth(split, plan) for split, plan in every),
        "annotations.json": json.dumps(annotations, indent=1),
    }


def clip_id(video: str, segment: Segment) -> str:
    return f"{video}_{segment.start}_{segment.end}"


def narrate(plan: VideoPlan) -> dict[str, list]:
    """The video's noisy narration in HowTo100M's format: text, start and end, in order of start."""
    rng = np.random.default_rng((*plan.seed, len(plan.segments) + 2))
    spoken = []
    for segment in plan.segments:
        sentences = []
        for sentence in language.narration(segment.scene, rng):
            if rng.random() >= MISSING:
                sentences.append(sentence)
            if rng.random() < OFF_TOPIC * (1 - MISSING) / (1 - OFF_TOPIC):
                sentences.append(language.OFF_TOPIC[rng.integers(len(language.OFF_TOPIC))])
        edges = np.linspace(segment.start, segment.end, len(sentences) + 1)
        for sentence, start, end in zip(sentences, edges, edges[1:]):
            start, end = np.clip(
                np.array([start, end]) + rng.uniform(-SHIFT_SECONDS, SHIFT_SECONDS),
                0,
                plan.duration,
            )
            spoken.append((round(float(start), 2), round(float(end), 2), sentence))
    spoken.sort()
    return {
        "text": [sentence for _, _, sentence in spoken],
        "start": [start for start, _, _ in spoken],
        "end": [end for _, end, _ in spoken],
    }


def _render(plans: Sequence[VideoPlan], directory: Path, processes: int) -> None:
    task = functools.partial(make_video, directory=directory)
    with Progress(transient=True) as progress:
        bar = progress.add_task("Rendering kitchen videos", total=len(plans))
        for _ in _map(task, plans, processes):
            progress.advance(bar)


def _map(task, plans: Sequence[VideoPlan], processes: int) -> Iterator[None]:
    if processes <= 1:
        yield from map(task, plans)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as executor:
        yield from executor.map(task, plans, chunksize=4)


def _sample_in_setting(rng: np.random.Generator, split: str, keystep: int, setting: Scene) -> Scene:
    """A random scene of the split with the setting's counter and hands."""
    while True:
        values = list(sample_scene(rng, split, keystep).values)
        for name in ("counter", "hands"):
            values[ATTRIBUTES.index(name)] = setting.index(name)
        scene = Scene(keystep, tuple(values))
        if scene.split == split:
            return scene


def _annotation(split: str, plan: VideoPlan) -> dict:
    rng = np.random.default_rng((*plan.seed, len(plan.segments) + 3))
    return {
        "subset": split,
        "duration": plan.duration,
        "activity": ACTIVITY,
        "variation": "none",
        "annotations": [
            {
                "id": segment.scene.keystep,
                "segment": [segment.start, segment.end],
                "partial": "Partial Match" if rng.random() < PARTIAL_MATCHES else "Full Match",
            }
            for segment in plan.segments
        ],
    }


def _taxonomy() -> str:
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(TAXONOMY_COLUMNS)
    for index, keystep in enumerate(KEYSTEPS):
        headline = f"{keystep.capitalize()}."
        writer.writerow([index, ACTIVITY, index, "none", 1, headline, f"Now {keystep}."])
    return rows.getvalue()


def _truth(split: str, plan: VideoPlan) -> str:
    return "".join(
        json.dumps(
            Truth(
                clip=clip_id(plan.video, segment),
                keystep=segment.scene.keystep,
                values={name: segment.scene.word(name) for name in ATTRIBUTES},
                split=split,
            ).row()
        )
        + "\n"
        for segment in plan.segments
    )
