"""The pair stage: clips of one keystep with similar but different descriptions (section 3.2)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_prep.benchmark.held_out import EvaluationClips
from data_prep.schema.clips import KeystepClip
from data_prep.schema.line import Row, stream_lines
from data_prep.schema.text import BadClip, DescribedClip, KeystepClips, KeystepPairs, Pair
from data_prep.similarity.base import Embed
from data_prep.stage import Rejected, Shard, run_stage
from data_prep.text.pair.choice import Described, PairLimits, choose_pairs
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import parse_clip_id


def write_pairs(
    clips: Path,
    descriptions: Path | None,
    destination: Path,
    limits: PairLimits,
    *,
    shard: Shard,
    exclude: EvaluationClips,
    embed: Embed,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """clips.jsonl and descriptions.jsonl -> `destination`; returns (and writes) the summary.

    The input records are the keysteps of each split, and the quarantined clips: those without a
    description, or with a malformed or duplicate id. Without `descriptions`, nothing is compared
    and pairs are taken in file order, up to the limits.

    Args:
        settings: identifies `embed`.
    Raises:
        InputError: a file cannot be read, or a line lacks a field.
    """
    rows, problems = _rows(clips, descriptions)

    def work(batch: Sequence[KeystepClips]) -> Iterator[KeystepPairs | Rejected]:
        for group in batch:
            problem = problems.get(group.key)
            yield problem or _paired(group, limits, exclude, embed if descriptions else None)

    return run_stage(
        rows,
        KeystepClips,
        work,
        destination,
        shard=shard,
        settings={
            **asdict(limits),
            **settings,
            "evaluation pairs": len(exclude.pairs),
            "evaluation digest": exclude.digest,
            "by": exclude.by,
            "descriptions": descriptions is not None,
        },
        counts=lambda result: KeystepPairs.of(result).counts,
        lines=_lines,
        result_of=None,
    )


def _paired(
    group: KeystepClips, limits: PairLimits, exclude: EvaluationClips, embed: Embed | None
) -> KeystepPairs:
    described = [Described(clip, parse_clip_id(clip).video, text) for clip, text in group.clips]
    dropped: Counter[str] = Counter()
    pairs = choose_pairs(described, limits, exclude, embed, dropped)
    counts = {"keysteps": 1, "clips": len(described)}
    counts |= {f"pairs dropped: {reason}": number for reason, number in dropped.items() if number}
    return KeystepPairs(pairs, counts)


def _lines(row: Row, result: Row) -> Iterator[Row]:
    """Each pair in both orders."""
    group = KeystepClips.of(row)
    clips = [clip for clip, _ in group.clips]
    for one, other, similarity in KeystepPairs.of(result).pairs:
        for reference, candidate in ((one, other), (other, one)):
            yield Pair(
                reference=clips[reference],
                candidate=clips[candidate],
                keystep=group.keystep,
                split=group.split,
                similarity=similarity,
            ).row()


def _rows(clips: Path, descriptions: Path | None) -> tuple[list[Row], dict[str, Rejected]]:
    """Rows of the quarantined clips and of the keysteps with their clips, and the problems by key.

    Reads lines one at a time: the unneeded fields of 87,740 clips would fill a gigabyte.
    """
    described = stream_lines(descriptions, DescribedClip) if descriptions else ()
    texts = {clip.clip: clip.description for _, clip in described}
    groups: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    bad: list[Row] = []
    problems: dict[str, Rejected] = {}
    known: set[str] = set()
    for line, clip in stream_lines(clips, KeystepClip):
        problem = _problem(clip.clip, known, texts if descriptions else None)
        if problem:
            found = BadClip(line.number)
            bad.append(found.added_to(line.fields))
            problems[found.key] = problem
        else:
            known.add(clip.clip)
            groups[clip.split, clip.keystep].append((clip.clip, texts.get(clip.clip, "")))
    keysteps = [
        KeystepClips(split, keystep, groups[split, keystep]).row()
        for split, keystep in sorted(groups)
    ]
    return bad + keysteps, problems


def _problem(clip: str, known: set[str], texts: Mapping[str, str] | None) -> Rejected | None:
    try:
        parse_clip_id(clip)
    except InputError as error:
        return Rejected("clip id of another form", str(error))
    if clip in known:
        return Rejected("clip id was there before", clip)
    if texts is not None and not texts.get(clip, "").strip():
        return Rejected("clip has no description", clip)
    return None
