"""The frames stage: 8 JPEG images of each clip, with their times (section 4: 8 frames)."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data_prep.frames.decode import FRAMES, ClipDecoder, Span, Undecodable
from data_prep.frames.files import frames_path, write_images
from data_prep.schema import finite_number
from data_prep.stage import Rejected, Row, Shard, run_stage
from stepdiff_jax.data.video import JPEG_QUALITY, SHORT_SIDE, decoder_version
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import stream_jsonl


def write_frames(
    clips: Path, destination: Path, *, processes: int = 2, shard: Shard | None = None
) -> dict[str, Any]:
    """Decode the clips of clips.jsonl; returns (and writes) the summary of `run_stage`.

    Leaves `destination` (frames.jsonl: clip, file, sha256, times in seconds, width and height in
    pixels, decoder) and the images beside it (see `frames_path`). A clip that cannot be decoded is
    quarantined with the reason, also where its decoder crashes.

    Args:
        processes: that decode; they are others than the caller's, which a broken video may crash.
    Raises:
        InputError: the file cannot be read, a line lacks a field, or a clip is named twice.
    """
    if processes < 1:
        raise InputError(f"--processes must be positive, got {processes}")
    rows = _rows(clips)
    with ClipDecoder(processes) as decoder:
        return run_stage(
            rows,
            lambda row: row["clip"],
            partial(_work, decoder, clips.parent, destination.parent),
            destination,
            shard=shard or Shard(),
            settings={"frames": FRAMES, "short side": SHORT_SIDE, "JPEG quality": JPEG_QUALITY},
        )


def _rows(clips: Path) -> list[Row]:
    rows: dict[str, Row] = {}
    for line in stream_jsonl(clips):
        row: Row = {name: line.string(name) for name in ("clip", "video")}
        row |= {name: finite_number(line, name, line.get(name)) for name in ("start", "end")}
        if row["clip"] in rows:
            line.fail("clip", "is named twice", row["clip"])
        rows[row["clip"]] = row
    return list(rows.values())


def _work(
    decoder: ClipDecoder, videos: Path, directory: Path, rows: Sequence[Row]
) -> Iterator[Row | Rejected]:
    spans = [Span(videos / row["video"], row["start"], row["end"]) for row in rows]
    for row, found in zip(rows, decoder(spans), strict=True):
        if isinstance(found, Undecodable):
            yield Rejected(found.kind, found.detail)
            continue
        file = frames_path(row["video"], row["clip"])
        digest = write_images(directory / file, found.images)
        yield {
            "clip": row["clip"],
            "file": str(file),
            "sha256": digest,
            "times": list(found.times),
            "width": found.width,
            "height": found.height,
            "decoder": decoder_version(),
        }
