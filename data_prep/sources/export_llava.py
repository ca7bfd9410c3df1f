"""clips.jsonl and pairs.jsonl -> LLaVA-style JSON with two videos."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.schema.clips import CLIPS_FILE, ClipTexts
from data_prep.schema.line import Row, stream_lines
from data_prep.schema.stages import Summary, reasons
from data_prep.schema.text import ExportedPair
from data_prep.sources.llava_items import Known, WrongItem, item_of
from data_prep.stage.files import write_summary
from stepdiff_jax.files import replacing
from stepdiff_jax.jsonl import write_jsonl


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
    return item_of(pair, known[pair.reference], known[pair.candidate])
