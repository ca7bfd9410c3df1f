"""The stages of `stepdiff prep`: one thin function a stage, run in this order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from data_prep.text_cli import TEXT_STAGES
from stepdiff_jax.arguments import Command, load_config, parse_arguments
from stepdiff_jax.config import Experiment


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


@dataclass(frozen=True)
class Features:
    """Encode every packed clip once, for experiments whose data.visual_input is "features"."""

    experiment: Annotated[Experiment, arg(name="")]
    splits: tuple[str, ...] = ("train", "validation", "test")


def features(prog: str, arguments: Sequence[str]) -> None:
    """Datasets -> the encoder's features: CONFIG [--splits SPLIT ...] [--field.sub value ...]."""
    experiment, prog, rest = load_config(prog, arguments)
    options = parse_arguments(Features, rest, prog=prog, default=Features(experiment))
    from data_prep.features import cache_features

    for split, number in cache_features(options.experiment, options.splits).items():
        print(f"{options.experiment.data.directory}: {number} clips of {split}")


STAGES: dict[str, Command] = {
    "clips": clips,
    **TEXT_STAGES,
    "sequences": sequences,
    "pack": pack,
    "features": features,
}
