"""Pairs of clips of one keystep whose descriptions are similar but not the same (section 3.2)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_prep.benchmark.held_out import EvaluationClips
from data_prep.similarity.base import Embed
from data_prep.stage import Rejected, Row, Shard, run_stage
from data_prep.text.pair_choice import Described, Limits, choose_pairs
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import parse_clip_id
from stepdiff_jax.jsonl import JsonLine, stream_jsonl


def write_pairs(
    clips: Path,
    descriptions: Path | None,
    destination: Path,
    limits: Limits,
    *,
    shard: Shard,
    exclude: EvaluationClips,
    embed: Embed,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """clips.jsonl and descriptions.jsonl -> `destination`; returns (and writes) the summary.

    The records of the stage are the keysteps (of a split), and the clips that are set aside: those
    without a description, with an id of another form, or with one that was there before. Without
    `descriptions` nothing is compared: pairs are taken in the file's order, up to the caps.

    Args:
        settings: what says which `embed` it is.
    Raises:
        InputError: a file cannot be read, or a line lacks a field.
    """
    rows, problems = _rows(clips, descriptions)

    def work(batch: Sequence[Row]) -> Iterator[Row | Rejected]:
        for row in batch:
            problem = problems.get(_key(row))
            yield problem or _paired(row, limits, exclude, embed if descriptions else None)

    return run_stage(
        rows,
        _key,
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
        counts=lambda result: result.get("counts", {}),
        lines=_lines,
    )


def _key(row: Row) -> str:
    return f"{row['split']} {row['keystep']}" if "clips" in row else f"line {row['line']}"


def _paired(row: Row, limits: Limits, exclude: EvaluationClips, embed: Embed | None) -> Row:
    group = [Described(clip, parse_clip_id(clip).video, text) for clip, text in row["clips"]]
    dropped: Counter[str] = Counter()
    pairs = choose_pairs(group, limits, exclude, embed, dropped)
    counts = {"keysteps": 1, "clips": len(group)}
    counts |= {f"pairs dropped: {reason}": number for reason, number in dropped.items() if number}
    return {"pairs": pairs, "counts": counts}


def _lines(row: Row, result: Row) -> Iterator[Row]:
    """Each pair both ways."""
    for one, other, similarity in result["pairs"]:
        for reference, candidate in ((one, other), (other, one)):
            yield {
                "reference": row["clips"][reference][0],
                "candidate": row["clips"][candidate][0],
                "keystep": row["keystep"],
                "split": row["split"],
                "similarity": similarity,
            }


def _rows(clips: Path, descriptions: Path | None) -> tuple[list[Row], dict[str, Rejected]]:
    """The clips that are set aside, with the reasons, and the keysteps with their clips in order.

    Lines are read one at a time: of 87,740 clips, what is not needed here would fill a gigabyte.
    """
    lines = stream_jsonl(descriptions) if descriptions else ()
    texts = {line.string("clip"): line.string("description") for line in lines}
    groups: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    bad: list[Row] = []
    problems: dict[str, Rejected] = {}
    known: set[str] = set()
    for line in stream_jsonl(clips):
        name, group = line.string("clip"), (line.string("split"), line.string("keystep"))
        problem = _problem(line, known, texts if descriptions else None)
        if problem:
            bad.append({**line.fields, "line": line.number})
            bad[-1].pop("clips", None)
            problems[_key(bad[-1])] = problem
        else:
            known.add(name)
            groups[group].append((name, texts.get(name, "")))
    keysteps = [
        {"split": split, "keystep": keystep, "clips": groups[split, keystep]}
        for split, keystep in sorted(groups)
    ]
    return bad + keysteps, problems


def _problem(line: JsonLine, known: set[str], texts: Mapping[str, str] | None) -> Rejected | None:
    name = line.string("clip")
    try:
        parse_clip_id(name)
    except InputError as error:
        return Rejected("clip id of another form", str(error))
    if name in known:
        return Rejected("clip id was there before", name)
    if texts is not None and not texts.get(name, "").strip():
        return Rejected("clip has no description", name)
    return None
