"""Small record sources on disk: real H.264 files and the JSON Lines files that `pack` reads."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np

from data_prep.frames.stage import write_frames

FRAME_RATE = 4
SECONDS = 6
CLIPS_PER_VIDEO = 3
SPLITS = {"train": 4, "validation": 1}
"""Split -> videos."""


def write_video(path: Path, brightness: int) -> None:
    """Six seconds of 32 x 32 grey that darkens by one level a frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options={"crf": "5"})
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(FRAME_RATE * SECONDS):
            image = np.full((32, 32, 3), brightness - number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """JSON Lines, by hand: what is read in a test should not be written by the code under test."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]


def write_source(directory: Path) -> Path:
    """Five videos of three clips: 12 clips, 132 pairs, 4 sequences and 12 singles to train on."""
    (directory / "videos").mkdir(parents=True)
    clips = [clip for split in SPLITS for clip in _clips(directory, split)]
    write_lines(directory / "clips.jsonl", clips)
    pairs = [row for split in SPLITS for row in _pairs(clips, split)]
    write_lines(directory / "pairs.jsonl", pairs)
    for name, size in (("sequences", CLIPS_PER_VIDEO), ("single", 1)):
        write_lines(directory / f"{name}.jsonl", _sequences(clips, size))
    write_frames(directory / "clips.jsonl", directory / "frames.jsonl", processes=1)
    return directory


def _clips(directory: Path, split: str) -> list[dict[str, Any]]:
    rows = []
    for number in range(SPLITS[split]):
        video = f"videos/{split}-{number}.mp4"
        write_video(directory / video, brightness=250 - 50 * number)
        for start in range(0, SECONDS, SECONDS // CLIPS_PER_VIDEO):
            rows.append(
                {
                    "clip": f"{split}-{number}_{start}_{start + 1.5}",
                    "video": video,
                    "start": start,
                    "end": start + 1.5,
                    "keystep": "sauté the onion",
                    "activity": "soup",
                    "narration": f"now we add {'salt ' * (start + 1)}".strip(),
                    "split": split,
                }
            )
    return rows


def _pairs(clips: list[dict[str, Any]], split: str) -> list[dict[str, Any]]:
    names = [row["clip"] for row in clips if row["split"] == split]
    pairs = [(a, b) for a in names for b in names if a != b]
    return [
        {
            "reference": reference,
            "candidate": candidate,
            "questions": [
                {
                    "question": f"which one is pair {number}",
                    "answer": " ".join(["the first"] * (1 + number % 5)),
                    "weight": 0.5,
                },
                {"question": "are these the same?", "answer": "YES"},
            ][: 1 + number % 2],
            "split": split,
        }
        for number, (reference, candidate) in enumerate(pairs)
    ]


def _sequences(clips: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    return [
        {
            "clips": [row["clip"] for row in group],
            "narrations": [row["narration"] for row in group],
            "split": group[0]["split"],
        }
        for group in (clips[start : start + size] for start in range(0, len(clips), size))
    ]
