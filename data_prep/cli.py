"""The stages of `stepdiff prep`: one thin function a stage, run in this order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stepdiff_jax.arguments import Command, parse_arguments


@dataclass(frozen=True)
class Clips:
    """Join HT-Step's segments and HowTo100M's narration into clips.jsonl."""

    htstep: Path
    """Directory of annotations.json, taxonomy.csv and video_splits.json."""
    captions: Path
    """raw_caption.json, or a sentence-level file of the same form."""
    videos: Path
    """Directory of the video files."""
    destination: Path
    margin: float = 0.0
    """Narration counts from this many seconds before a clip to as many after it."""


def clips(prog: str, arguments: Sequence[str]) -> None:
    """HT-Step's segments and HowTo100M's narration -> clips.jsonl."""
    options = parse_arguments(Clips, arguments, prog=prog)
    from data_prep.clips import write_clips

    number = write_clips(
        options.htstep,
        options.captions,
        options.videos,
        options.destination,
        margin=options.margin,
    )
    print(f"{options.destination}: {number} clips")


@dataclass(frozen=True)
class Sequences:
    """Write the interleaved sequences and the single clips beside clips.jsonl."""

    directory: Path
    """Where clips.jsonl lies."""
    clips_per_sequence: int = 3


def sequences(prog: str, arguments: Sequence[str]) -> None:
    """clips.jsonl -> sequences.jsonl and single.jsonl."""
    options = parse_arguments(Sequences, arguments, prog=prog)
    from data_prep.sequences import write_sequences

    number = write_sequences(options.directory, clips_per_sequence=options.clips_per_sequence)
    print(f"{options.directory}: {number} sequences")


@dataclass(frozen=True)
class Pack:
    """Decode the clips once and write everything as ArrayRecord datasets."""

    source: Path
    """Directory of clips.jsonl, pairs.jsonl, sequences.jsonl and single.jsonl."""
    destination: Path
    processes: int = 2
    """Processes that decode video."""


def pack(prog: str, arguments: Sequence[str]) -> None:
    """JSON Lines and video files -> the datasets that training reads."""
    options = parse_arguments(Pack, arguments, prog=prog)
    from data_prep.pack import pack as pack_records

    for kind, number in pack_records(
        options.source, options.destination, processes=options.processes
    ).items():
        print(f"{options.destination}: {number} {kind}")


STAGES: dict[str, Command] = {"clips": clips, "sequences": sequences, "pack": pack}
