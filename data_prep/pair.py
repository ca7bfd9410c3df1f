"""Pairs of clips of one keystep whose descriptions are similar but not the same (section 3.2)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_prep.evaluation_clips import EvaluationClips
from data_prep.similarity import Embed, words_embedding
from data_prep.text_stage import Shard, write_summary
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import parse_clip_id
from stepdiff_jax.jsonl import JsonLine, read_jsonl, write_jsonl


@dataclass(frozen=True)
class Limits:
    """Which pairs are taken; all values are ours.

    lowest, highest: similarity from the one on, below the other.
    per_clip: pairs that a clip is in at most; per_keystep: pairs of a keystep at most. Each pair is
        written both ways, as reference and as candidate.
    """

    lowest: float = 0.3
    highest: float = 0.98
    per_clip: int = 4
    per_keystep: int = 2000

    def __post_init__(self) -> None:
        if not self.lowest < self.highest:
            raise InputError(f"--lowest {self.lowest}: must be below --highest {self.highest}")
        for name in ("per_clip", "per_keystep"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} must be positive")


class Described(NamedTuple):
    """A clip with its description."""

    clip: str
    video: str
    text: str


def write_pairs(
    clips: Path,
    descriptions: Path | None,
    destination: Path,
    limits: Limits,
    *,
    shard: Shard,
    exclude: EvaluationClips,
    embed: Embed = words_embedding,
) -> dict[str, Any]:
    """clips.jsonl and descriptions.jsonl -> `destination`; returns (and writes) the summary.

    A shard has every N-th keystep. A clip without a description, or with an id of another form, is
    quarantined. Without `descriptions` nothing is compared: pairs are taken in the file's order, up
    to the caps. The same input gives the same bytes, and every file appears whole or not at all.

    Raises:
        InputError: a file cannot be read, or a line lacks a field.
    """
    groups, quarantined = _groups(clips, descriptions)
    compare = embed if descriptions else None
    mine = sorted(groups)[shard.number - 1 :: shard.count]
    dropped: Counter[str] = Counter()
    rows = [
        row
        for split, keystep in mine
        for row in _rows(groups[split, keystep], split, keystep, limits, exclude, compare, dropped)
    ]
    bad = quarantined if shard.number == 1 else []
    write_jsonl(shard.path(destination, ".quarantine.jsonl"), bad)
    write_jsonl(shard.path(destination, ".jsonl"), rows)
    summary = {
        "in": sum(len(groups[key]) for key in mine),
        "keysteps": len(mine),
        "out": len(rows),
        "quarantined": dict(sorted(Counter(row["reason"] for row in bad).items())),
        "pairs dropped": dict(sorted(dropped.items())),
        "settings": {**asdict(limits), "evaluation pairs": len(exclude.pairs), "by": exclude.by}
        | {"descriptions": descriptions is not None},
    }
    write_summary(shard.path(destination, ".summary.json"), summary)
    return summary


def choose_pairs(
    group: Sequence[Described],
    limits: Limits,
    exclude: EvaluationClips,
    embed: Embed | None,
    dropped: Counter[str],
) -> list[tuple[int, int, float]]:
    """Places of the two clips and their similarity; the most similar pairs first.

    Args:
        embed: None to take clips without looking at their descriptions; the similarity is then 1.
        dropped: pairs that were not taken are counted here by reason.
    """
    vectors = embed([one.text for one in group]) if embed else np.ones((len(group), 1))
    first, second = np.triu_indices(len(group), k=1)
    videos = np.unique([one.video for one in group], return_inverse=True)[1]
    other_video = videos[first] != videos[second]
    dropped["one video"] += int(np.sum(~other_video))
    first, second = first[other_video], second[other_video]
    similarity = np.einsum("nd,nd->n", vectors[first], vectors[second])
    taken: list[tuple[int, int, float]] = []
    uses: Counter[int] = Counter()
    for place in np.argsort(-similarity, kind="stable"):
        one, other = int(first[place]), int(second[place])
        value = round(float(similarity[place]), 4)
        reason = "evaluation pair" if (group[one].clip, group[other].clip) in exclude else ""
        if embed and not reason:
            reason = _unlike(group[one], group[other], value, limits)
        if not reason and max(uses[one], uses[other]) >= limits.per_clip:
            reason = "clip has enough pairs"
        if not reason and len(taken) >= limits.per_keystep:
            reason = "keystep has enough pairs"
        if reason:
            dropped[reason] += 1
            continue
        uses.update((one, other))
        taken.append((one, other, value))
    return taken


def _unlike(one: Described, other: Described, similarity: float, limits: Limits) -> str:
    """Why two descriptions are no pair; empty where they are."""
    if one.text == other.text:
        return "same description"
    if similarity >= limits.highest:
        return "too similar"
    return "not similar enough" if similarity < limits.lowest else ""


def _rows(
    group: Sequence[Described],
    split: str,
    keystep: str,
    limits: Limits,
    exclude: EvaluationClips,
    embed: Embed | None,
    dropped: Counter[str],
) -> Iterator[dict[str, Any]]:
    for one, other, similarity in choose_pairs(group, limits, exclude, embed, dropped):
        for reference, candidate in ((one, other), (other, one)):
            yield {
                "reference": group[reference].clip,
                "candidate": group[candidate].clip,
                "keystep": keystep,
                "split": split,
                "similarity": similarity,
            }


def _groups(
    clips: Path, descriptions: Path | None
) -> tuple[Mapping[tuple[str, str], list[Described]], list[dict[str, Any]]]:
    """(split, keystep) -> its described clips, in the file's order; and the clips left out."""
    lines = read_jsonl(descriptions) if descriptions else []
    texts = {line.string("clip"): line.string("description") for line in lines}
    groups: defaultdict[tuple[str, str], list[Described]] = defaultdict(list)
    quarantined = []
    for line in read_jsonl(clips):
        name = line.string("clip")
        try:
            video = parse_clip_id(name).video
        except InputError as error:
            quarantined.append(_rejected(line, "clip id of another form", str(error)))
            continue
        if descriptions and not texts.get(name, "").strip():
            quarantined.append(_rejected(line, "clip has no description", name))
            continue
        key = (line.string("split"), line.string("keystep"))
        groups[key].append(Described(name, video, texts.get(name, "")))
    return groups, quarantined


def _rejected(line: JsonLine, reason: str, detail: str) -> dict[str, Any]:
    return {**line.fields, "reason": reason, "detail": detail}
