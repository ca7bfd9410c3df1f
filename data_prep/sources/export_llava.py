"""clips.jsonl and pairs.jsonl -> LLaVA-style JSON with two videos."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import UNSET

from data_prep.schema.clips import CLIPS_FILE, ClipTexts, known_of, span_of
from data_prep.schema.line import Row, stream_lines
from data_prep.schema.stages import Summary, reasons
from data_prep.schema.text import ExportedPair
from data_prep.sources.llava_items import weight_of
from data_prep.sources.llava_turns import WrongItem, plain_text
from data_prep.stage.files import write_summary
from stepdiff_jax.data.prompts import SLOT
from stepdiff_jax.files import replacing
from stepdiff_jax.jsonl import write_jsonl


class Known(NamedTuple):
    """A line of clips.jsonl, and the name of its video in an item."""

    row: Row
    video: str


def export_llava(
    clips: Path, pairs: Path, destination: Path, videos: Path | None = None
) -> dict[str, Any]:
    """pairs.jsonl -> `destination`, a JSON list with one item per line; returns the summary.

    Strips whitespace around questions and answers. Also writes the quarantine file (pairs without
    questions or with missing clips, and texts that are empty or contain "<video>") and the summary.
    All files are written atomically and overwrite existing ones.

    Args:
        videos: directory that video names are relative to; None: the directory of `clips`.
    Raises:
        InputError: a file cannot be read, or a line lacks a field.
    """
    root = videos or clips.parent
    known = {
        clip.clip: Known(dict(line.fields), os.path.relpath(clips.parent / clip.video, root))
        for line, clip in stream_lines(clips, ClipTexts)
    }
    quarantined: list[Row] = []
    out = questions = 0
    with replacing(destination) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        for line, pair in stream_lines(pairs, ExportedPair):
            try:
                item = _exported(pair, known)
            except WrongItem as wrong:
                quarantined.append({**line.fields, **wrong.rejected.reason})
                continue
            file.write(f"{',' if out else '['}\n{json.dumps(item, allow_nan=False)}")
            out += 1
            questions += len(pair.questions or ())
        file.write("\n]\n" if out else "[]\n")
    write_jsonl(destination.with_suffix(".quarantine.jsonl"), quarantined)
    summary = Summary(
        entered=out + len(quarantined),
        left=out,
        dropped=reasons(quarantined),
        counts={"questions": questions},
    ).row()
    write_summary(destination.with_suffix(".summary.json"), summary)
    return summary


def _exported(pair: ExportedPair, known: Mapping[str, Known]) -> Row:
    for name in (pair.reference, pair.candidate):
        if name not in known:
            raise WrongItem(f"clip is not in {CLIPS_FILE}", name)
    return _item_of(pair, known[pair.reference], known[pair.candidate])


def _item_of(pair: ExportedPair, reference: Known, candidate: Known) -> Row:
    """The item for a line of pairs.jsonl.

    Raises WrongItem if the pair has no questions, or something that an item cannot express.
    """
    conversations = []
    weights = []
    for number, question in enumerate(pair.questions or ()):
        asked = plain_text("question", question.question)
        slots = f"{SLOT}\n{SLOT}\n" if number == 0 else ""
        conversations += [
            {"from": "human", "value": slots + asked},
            {"from": "gpt", "value": plain_text("answer", question.answer)},
        ]
        weights.append(1.0 if question.weight is UNSET else weight_of(question.weight))
    if not conversations:
        raise WrongItem("pair has no questions", "")
    clips = [reference.row, candidate.row]
    item = {
        "id": pair.key if pair.id is UNSET else pair.id,
        "video": [reference.video, candidate.video],
        "conversations": conversations,
        "segments": [span_of(clip) for clip in clips],
        "split": pair.split,
        "clips": [known_of(clip) for clip in clips],
    }
    if len(conversations) > 2:
        item["independent"] = True
    return item if set(weights) == {1.0} else {**item, "weights": weights}
