"""LLaVA-style JSON with two videos: out of clips.jsonl and pairs.jsonl, and into them."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import ijson

from data_prep.schema import CLIPS_FILE, SPLIT_NAME, finite_number
from data_prep.sources.llava_items import TEXTS, Item, Span, WrongItem, item_of, parse_item
from data_prep.stage import Rejected, Row, Shard, run_stage, write_summary
from stepdiff_jax.data.video import probe
from stepdiff_jax.errors import InputError
from stepdiff_jax.files import replacing
from stepdiff_jax.jsonl import stream_jsonl, write_jsonl

PAIRS_FILE = "pairs.jsonl"


def export_llava(
    clips: Path, pairs: Path, destination: Path, videos: Path | None = None
) -> dict[str, Any]:
    """pairs.jsonl -> `destination`, a JSON list of items, one a line; returns the summary.

    White space around questions and answers is dropped. Beside it lie the quarantine file (pairs
    without questions or whose clips are not there, texts that are empty or hold "<video>") and the
    summary. All appear whole or not at all, and are written over.

    Args:
        videos: what the names of video files are relative to; None: the directory of `clips`.
    Raises:
        InputError: a file cannot be read, or a line lacks a field.
    """
    root = videos or clips.parent
    known: dict[str, tuple[Row, str]] = {}
    for line in stream_jsonl(clips):
        for name in TEXTS:
            line.string(name)
        for name in ("start", "end"):
            finite_number(line, name, line.get(name))
        path = os.path.relpath(clips.parent / line.string("video"), root)
        known[line.string("clip")] = (dict(line.fields), path)
    quarantined: list[Row] = []
    out = questions = 0
    with replacing(destination) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for line in stream_jsonl(pairs):
            names = [line.string(side) for side in ("reference", "candidate")]
            line.string("split")
            if "questions" in line.fields and line.get("questions"):
                _check_questions(line.items("questions"), line.fail)
            try:
                item = _exported(dict(line.fields), names, known)
            except WrongItem as wrong:
                reason = {"reason": wrong.rejected.kind, "detail": wrong.rejected.detail}
                quarantined.append({**line.fields, **reason})
                continue
            file.write(f"{',' if out else '['}\n{json.dumps(item, allow_nan=False)}")
            out += 1
            questions += len(item["conversations"]) // 2
        file.write("\n]\n" if out else "[]\n")
    write_jsonl(destination.with_suffix(".quarantine.jsonl"), quarantined)
    summary = {
        "in": out + len(quarantined),
        "out": out,
        "dropped": dict(sorted(Counter(row["reason"] for row in quarantined).items())),
        "counts": {"questions": questions},
    }
    write_summary(destination.with_suffix(".summary.json"), summary)
    return summary


def import_llava(
    source: Path, videos: Path, destination: Path, *, split: str = "train"
) -> dict[str, dict[str, Any]]:
    """A JSON list of items -> clips.jsonl and pairs.jsonl; returns the summaries by file.

    One item at a time is read. A span that the item does not give is the whole video. An item that
    cannot be taken is in pairs.quarantine.jsonl.

    Args:
        videos: directory that the items' names of files are relative to.
        split: of the items that name none.
    Raises:
        InputError: the file cannot be read or is no JSON list; see `run_stage`.
    """
    if not SPLIT_NAME.fullmatch(split) or split.lower() == "all":
        raise InputError(f"--split {split!r}: must be a word, and not 'all'")
    if not videos.is_dir():
        raise InputError(f"{videos}: no such directory of video files")
    rows: list[Row] = []
    results: dict[str, Row | Rejected] = {}
    clips = _Clips(videos, destination)
    for number, value in enumerate(_stream_items(source), start=1):
        rows.append({"item": number, "value": value})
        try:
            item = parse_item(value, split)
            reference, candidate = clips.add(item)
        except WrongItem as wrong:
            results[str(number)] = wrong.rejected
            continue
        results[str(number)] = {
            **({} if item.id is None else {"id": item.id}),
            "reference": reference,
            "candidate": candidate,
            "split": item.split,
            "questions": item.questions,
        }

    def clip_work(batch: Sequence[Row]) -> Iterator[Row | Rejected]:
        yield from batch

    def pair_work(batch: Sequence[Row]) -> Iterator[Row | Rejected]:
        yield from (results[str(row["item"])] for row in batch)

    return {
        CLIPS_FILE: run_stage(
            list(clips.rows.values()),
            lambda row: row["clip"],
            clip_work,
            destination / CLIPS_FILE,
            shard=Shard(),
            settings={"split": split},
        ),
        PAIRS_FILE: run_stage(
            rows,
            lambda row: str(row["item"]),
            pair_work,
            destination / PAIRS_FILE,
            shard=Shard(),
            # A video that came later makes other pairs of the same items.
            settings={"split": split, "clips": len(clips.rows)},
            counts=lambda row: {"questions": len(row.get("questions", ()))},
        ),
    }


def _check_questions(questions: Sequence[Any], fail: Any) -> None:
    for question in questions:
        texts = question if isinstance(question, dict) else {}
        if not all(isinstance(texts.get(name), str) for name in ("question", "answer")):
            fail("questions", "must hold objects with question and answer", question)


def _exported(pair: Row, names: Sequence[str], known: dict[str, tuple[Row, str]]) -> Row:
    for name in names:
        if name not in known:
            raise WrongItem(f"clip is not in {CLIPS_FILE}", name)
    clips, videos = zip(*(known[name] for name in names))
    return item_of(pair, clips, videos)


def _stream_items(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as file:
            if _first_byte(file) != b"[":
                raise InputError(f"{path}: must hold a JSON list")
            yield from ijson.items(file, "item", use_float=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON: {' '.join(str(error).split())}") from error


def _first_byte(file: BinaryIO) -> bytes:
    """The first byte that is no white space; the file is then back at its start."""
    byte = file.read(1)
    while byte.isspace():
        byte = file.read(1)
    file.seek(0)
    return byte


class _Clips:
    """The lines of clips.jsonl by id, in order of the items that ask for them first."""

    def __init__(self, videos: Path, destination: Path):
        self.rows: dict[str, Row] = {}
        self._videos, self._destination = videos, destination
        self._durations: dict[str, float | Rejected] = {}

    def add(self, item: Item) -> tuple[str, str]:
        """Ids of the reference and the candidate; WrongItem, and neither added, if one is wrong."""
        found: dict[str, Row] = {}
        names = []
        for span in item.spans:
            row = self._row(span, item.split)
            name = row["clip"]
            if found.setdefault(name, self.rows.get(name, row)) != row:
                raise WrongItem("clip id names two clips", name)
            names.append(name)
        self.rows |= found
        return names[0], names[1]

    def _row(self, span: Span, split: str) -> Row:
        path = self._videos / span.video
        if not path.is_file():
            raise WrongItem("video file is missing", span.video)
        start, end = span.segment or (0.0, self._duration(span.video))
        # Slashes would not do in an id, and two directories may have a video of one name.
        parts = PurePath(span.video).with_suffix("").parts
        stem = "-".join(part for part in parts if part not in ("..", "/"))
        texts = dict.fromkeys(TEXTS, "")
        return {
            "clip": span.fields.get("clip") or f"{stem}_{start}_{end}",
            "video": os.path.relpath(path, self._destination),
            "start": start,
            "end": end,
            **texts,
            **{name: value for name, value in span.fields.items() if name != "clip"},
            "split": split,
        }

    def _duration(self, video: str) -> float:
        if video not in self._durations:
            try:
                self._durations[video] = probe(self._videos / video).duration
            except InputError as error:
                self._durations[video] = Rejected("video cannot be read", str(error))
        duration = self._durations[video]
        if isinstance(duration, Rejected):
            raise WrongItem(duration.kind, duration.detail)
        return duration
