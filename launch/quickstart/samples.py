"""Sample pairs of the evaluated split: both clips' frames, the truth and the systems' answers."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.kitchen import language
from data_prep.kitchen.oracle import read_truth
from data_prep.kitchen.world import CATEGORIES, KEYSTEPS, VALUES, Scene
from launch.quickstart.table import scenes_of
from stepdiff_jax.data.records import ClipRecord, clip_ids, open_records
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import (
    DiffCap,
    parse_clip_id,
    read_diffcap,
    read_generated_texts,
)
from stepdiff_jax.evaluation.tasks import benchmark_path
from stepdiff_jax.report.page import Html, element, join, jpeg
from stepdiff_jax.report.tables import MISSING

SAMPLES = 6
SEED = 0
"""Seed for choosing samples, which is independent of the answers."""


@dataclass(frozen=True)
class Sample:
    """A DiffCap instance with its scenes, and system -> answer (None if missing)."""

    instance: DiffCap
    reference: Scene
    candidate: Scene
    answers: Mapping[str, str | None]


def choose(
    instances: Sequence[DiffCap], scenes: Mapping[str, Scene], count: int = SAMPLES
) -> list[int]:
    """Choose the indices of `count` instances: distinct keysteps, categories equally often.

    Takes the first that fit in a seeded random order, filled up with the first others if needed.
    """
    order = [int(index) for index in np.random.default_rng(SEED).permutation(len(instances))]
    keysteps: set[int] = set()
    categories = Counter(dict.fromkeys(CATEGORIES, 0))
    chosen: list[int] = []
    for index in order:
        one = instances[index]
        keystep = scenes[one.reference].keystep
        due = categories[one.category] == min(categories.values())
        if due and keystep not in keysteps and len(chosen) < count:
            chosen.append(index)
            keysteps.add(keystep)
            categories[one.category] += 1
    return (chosen + [index for index in order if index not in chosen])[:count]


def predictions_path(directory: Path, split: str, system: str, seed: int) -> Path:
    """Directory of a system's predictions, one `<task>.jsonl` per task."""
    name = system.split(" (")[0].lower()
    return directory / "predictions" / split / name / f"seed{seed}"


def read_samples(directory: Path, split: str, systems: Sequence[str]) -> list[Sample]:
    """The chosen DiffCap instances with the answers of seed 0.

    Raises:
        InputError: a file is missing or invalid, or there is not one prediction per instance.
    """
    path = benchmark_path(directory / "benchmark" / split, "diffcap")
    instances = read_diffcap(path)
    scenes = scenes_of(read_truth(directory / "world" / "truth.jsonl", split))
    answers: dict[str, list[str] | None] = {}
    for system in systems:
        predictions = predictions_path(directory, split, system, 0) / "diffcap.jsonl"
        texts = read_generated_texts(predictions) if predictions.exists() else None
        if texts is not None and len(texts) != len(instances):
            raise InputError(
                f"{predictions}: has {len(texts)} predictions for the {len(instances)} instances "
                f"of {path}"
            )
        answers[system] = texts
    return [
        Sample(
            instances[index],
            scenes[instances[index].reference],
            scenes[instances[index].candidate],
            {name: None if texts is None else texts[index] for name, texts in answers.items()},
        )
        for index in choose(instances, scenes)
    ]


def samples_html(directory: Path, split: str, systems: Sequence[str]) -> Html:
    """A card per sample."""
    samples = read_samples(directory, split, systems)
    indices = {clip: index for index, clip in enumerate(clip_ids(directory / "data", split))}
    clips = open_records(directory / "data", "clips", split)
    cards = []
    for sample in samples:
        one = sample.instance
        title = f"{KEYSTEPS[sample.reference.keystep].capitalize()}: {one.category}"
        cards.append(
            element(
                "article",
                element("h3", title),
                _frames("reference", clips[indices[one.reference]]),
                _frames("candidate", clips[indices[one.candidate]]),
                answers_html(sample),
                class_="card",
            )
        )
    return join(*cards)


def _frames(role: str, clip: ClipRecord) -> Html:
    source = parse_clip_id(clip.id)
    seconds = f"{source.start:.1f} to {source.end:.1f} s"
    images = [
        jpeg(data, f"{role}, frame {number} of {len(clip.frames)}")
        for number, data in enumerate(clip.frames, start=1)
    ]
    caption = join(element("b", role), f" · video {source.video}, {seconds}")
    return element(
        "figure", element("figcaption", caption), element("div", *images, class_="frames")
    )


def answers_html(sample: Sample) -> Html:
    one = sample.instance
    truth = [element("div", text) for text in one.text]
    entries = [element("dt", "true difference"), element("dd", *truth)]
    for system, text in sample.answers.items():
        entries.append(element("dt", system))
        if text is None:
            entries.append(element("dd", MISSING))
            continue
        correct, asked = language.correct_attributes(
            text, sample.reference, sample.candidate, one.category
        )
        count = element("span", f"{correct} of {asked}", class_="count")
        entries.append(element("dd", mark(text, sample), count))
    return element("dl", *entries)


def mark(text: str, sample: Sample) -> Html:
    """An answer with the category's attribute words marked correct (`ins`) or wrong (`del`).

    As in `language.correct_attributes`, words before the contrast phrase ("instead of", ...) are
    about the candidate, and those after it about the reference.
    """
    sides = re.split(f"({'|'.join(language.CONTRASTS)})", text, maxsplit=1)
    scenes = (sample.candidate, None, sample.reference)
    return join(
        *(
            side if scene is None else _mark_side(side, scene, sample.instance.category)
            for side, scene in zip(sides, scenes)
        )
    )


def _mark_side(side: str, scene: Scene, category: str) -> Html:
    attribute = {word: name for name in CATEGORIES[category] for word in VALUES[name]}
    marked: list[str] = []
    for piece in re.split(r"([A-Za-z]+)", side):
        word = piece.lower()
        if word not in attribute:
            marked.append(piece)
        elif scene.word(attribute[word]) == word:
            marked.append(element("ins", piece, title="correct"))
        else:
            true = scene.word(attribute[word])
            marked.append(element("del", piece, title=f"wrong: {true}"))
    return join(*marked)
