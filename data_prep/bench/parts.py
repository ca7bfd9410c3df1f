"""Measures parts of `stepdiff prep` (frames, pair and pack), each in a new process."""

import json
from pathlib import Path
from typing import Any

from data_prep.bench.made_up import (
    write_described_clips,
    write_questions,
    write_video_clips,
    write_videos,
)
from data_prep.bench.measure import Rate, rate_in_new_process
from data_prep.schema.stages import RecordCounts

FEW = 8
"""Clips in the short run that stands for start-up."""


FRAMES_OF = "frames{}by{}"
"""Directory for the frames: number of clips, number of processes."""


def measure_frames(
    directory: Path, *, clips: int, seconds: int, size: tuple[int, int], processes: int
) -> dict[str, Any]:
    """Clips per second decoded from an H.264 file, in one process and in several.

    Args:
        seconds: length of the video; size: its width and height.
    """
    write_videos(directory / "videos", videos=1, seconds=seconds, size=size)
    for number in (FEW, clips):
        write_video_clips(directory / f"{number}.jsonl", number, videos=1, seconds=seconds)
    found = {
        count: rate_in_new_process(
            _frames, directory, count, few=FEW, many=clips, repeats=1, workers=count
        )
        for count in dict.fromkeys((1, processes))
    }
    stored = sum(path.stat().st_size for path in (directory / "videos").iterdir())
    return {
        "clips": clips,
        "bits_per_second": round(8 * stored / seconds),
        "bytes_per_clip": _clip_bytes(directory),
        "processes": {str(count): _numbers(rate) for count, rate in found.items()},
        "speed_up": found[processes].per_second / found[1].per_second,
    }


def measure_pair(directory: Path, *, clips: int, keysteps: int, seed: int) -> dict[str, Any]:
    """Pairs per second on synthetic clips, with similarity by words."""
    few = max(clips // 50, 2)
    for number, of in ((few, max(keysteps // 50, 1)), (clips, keysteps)):
        sizes = write_described_clips(directory / str(number), clips=number, keysteps=of, seed=seed)
    rate = rate_in_new_process(_pair, directory, few=few, many=clips, repeats=1, workers=0)
    summary = json.loads((directory / str(clips) / "pairs2.summary.json").read_text())
    left = RecordCounts.of(summary).left
    per_clip = left / clips
    compared = sum(size * (size - 1) // 2 for size in sizes)
    return {
        "clips": clips,
        "keysteps": keysteps,
        "largest_keystep": max(sizes),
        "pairs": left,
        "pairs_per_second": rate.per_second * per_clip,
        "compared_per_second": rate.per_second * compared / clips,
        "seconds": clips / rate.per_second,
        **_numbers(rate),
    }


def measure_pack(directory: Path, *, pairs: int, seed: int) -> dict[str, Any]:
    """Pairs per second packed into a dataset, with three questions each."""
    from data_prep.frames.stage import write_frames

    few = max(pairs // 10, 1)
    for number in (few, pairs):
        source = directory / str(number)
        write_videos(source / "videos", videos=1, seconds=10, size=(64, 64))
        write_video_clips(source / "clips.jsonl", 4, videos=1, seconds=10)
        write_questions(source, number, seed=seed)
        write_frames(source / "clips.jsonl", source / "frames.jsonl", processes=1)
    rate = rate_in_new_process(_pack, directory, few=few, many=pairs, repeats=3, workers=0)
    packed = directory / "data1/stepdiff_pairs/pairs"
    size = sum(path.stat().st_size for path in packed.rglob("*.array_record*")) / few
    return {"pairs": pairs, "bytes_per_pair": round(size), **_numbers(rate)}


def _numbers(rate: Rate) -> dict[str, float | int]:
    return {
        "records_per_second": rate.per_second,
        "core_seconds_per_record": rate.core_seconds,
        "peak_bytes": rate.peak_bytes,
    }


def _clip_bytes(directory: Path) -> int:
    """Average size of a clip's stored frames in bytes."""
    sizes = [path.stat().st_size for path in (directory / FRAMES_OF.format(FEW, 1)).rglob("*.tar")]
    return round(sum(sizes) / len(sizes))


def _frames(directory: Path, processes: int, records: int, call: int) -> None:
    from data_prep.frames.stage import write_frames

    write_frames(
        directory / f"{records}.jsonl",
        directory / FRAMES_OF.format(records, processes) / f"{call}" / "frames.jsonl",
        processes=processes,
    )


def _pair(directory: Path, records: int, call: int) -> None:
    from data_prep.benchmark.held_out import EvaluationClips
    from data_prep.similarity.words import words_embedding
    from data_prep.stage import Shard
    from data_prep.text.pair.choice import PairLimits
    from data_prep.text.pair.stage import write_pairs

    source = directory / str(records)
    write_pairs(
        source / "clips.jsonl",
        source / "descriptions.jsonl",
        source / f"pairs{call}.jsonl",
        PairLimits(),
        shard=Shard(),
        exclude=EvaluationClips(),
        embed=words_embedding,
        settings={},
    )


def _pack(directory: Path, records: int, call: int) -> None:
    from data_prep.records.pack import pack

    pack(directory / str(records), directory / f"data{call}")
