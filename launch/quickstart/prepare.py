"""Turns a kitchen world into packed records, encoder features and benchmark files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_prep.benchmark.write import write_benchmark
from data_prep.frames.stage import write_frames
from data_prep.kitchen.oracle import annotated_differences, paired_questions, read_truth
from data_prep.kitchen.world import SPLITS
from data_prep.records.features import cache_split
from data_prep.records.sequences.stage import write_sequences
from data_prep.schema.differences import Difference
from data_prep.schema.records import SEQUENCES_FILE
from data_prep.sources.clips import write_clips
from data_prep.sources.htstep import HtStep
from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.data.records import clip_ids
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import write_jsonl
from stepdiff_jax.models.internvideo import InternVideo


def write_records(world: Path, records: Path, *, partners: int, seed: int) -> dict[str, int]:
    """Write clips, pairs with questions, and sequences as JSON Lines.

    Returns:
        number of lines of each file.
    """
    # The stages would reject the output of an earlier world.
    shutil.rmtree(records, ignore_errors=True)
    clips = write_clips(HtStep(world), world / "raw_caption.json", world / "videos", records)["out"]
    pairs = [
        {**row, "split": split}
        for number, split in enumerate(("train", "validation"))
        for row in paired_questions(
            read_truth(world / "truth.jsonl", split), partners=partners, seed=seed + number
        )
    ]
    write_jsonl(records / "pairs.jsonl", pairs)
    sequences = write_sequences(records)[SEQUENCES_FILE]["out"]
    return {"clips": clips, "pairs": len(pairs), "sequences": sequences}


def decode_clips(records: Path, *, processes: int) -> int:
    """Write the frames of all clips as JPEG images beside clips.jsonl; returns the number of clips.

    Raises InputError if a clip cannot be decoded.
    """
    summary = write_frames(records / "clips.jsonl", records / "frames.jsonl", processes=processes)
    if summary["dropped"]:
        raise InputError(f"{records}/frames.quarantine.jsonl: {summary['dropped']}")
    return summary["out"]


def write_benchmarks(
    world: Path, directory: Path, *, references: dict[str, int], limit: int, seed: int
) -> dict[str, dict[str, int]]:
    """Write difference annotations and official benchmark files to `<directory>/<split>`.

    Args:
        references: split -> number of clips to compare with four others each.
        limit: maximum instances per task.
    Returns:
        split -> task -> number of instances.
    """
    counts = {}
    for split, number in references.items():
        truth = read_truth(world / "truth.jsonl", split)
        rows = list(annotated_differences(truth, references=number, seed=seed))
        write_jsonl(directory / split / "differences.jsonl", rows)
        differences = [Difference.of(row) for row in rows]
        counts[split] = write_benchmark(differences, directory / split, limit=limit, seed=seed)
    return counts


def encode_all_clips(
    encoder: InternVideo, config: EncoderConfig, data: Path, advance: Callable[[int], object]
) -> dict[str, int]:
    """Encode every clip once: tokens for the resampler and a pooled feature for VLEmbed.

    Returns:
        split -> number of clips.
    """
    counts = {}
    for split in SPLITS:
        pooled = cache_split(encoder, config, data, split, advance)
        np.savez(pooled_path(data, split), ids=clip_ids(data, split), features=pooled)
        counts[split] = len(pooled)
    return counts


def pooled_path(data: Path, split: str) -> Path:
    """Path of a split's pooled video features."""
    return data / "features" / f"{split}_pooled.npz"
