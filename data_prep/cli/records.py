"""The stages of `stepdiff prep` that produce datasets: sequences, pack, features."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from data_prep.cli import formats
from data_prep.cli.running import Running, check_beam
from data_prep.cli.summary import print_summaries
from stepdiff_jax.arguments import Command, load_config, parse_arguments
from stepdiff_jax.config import Experiment
from stepdiff_jax.files import require_writable


@dataclass(frozen=True)
class Sequences:
    """Write the interleaved sequences and the single clips beside clips.jsonl."""

    directory: Path
    """Directory of clips.jsonl."""
    clips_per_sequence: int | None = None
    """Maximum clips per sequence; 3 if --tokens is not given."""
    tokens: int | None = None
    """Maximum tokens per sequence, counted with --tokenizer."""
    tokenizer: Path | None = None
    """tokenizer.model or tokenizer.json."""
    family: str = "llama2"
    """The tokenizer's language model family: llama2, llama3, ..."""
    latents: int = 32
    """Tokens per video clip: the resampler's latents."""
    longest_gap: float | None = None
    """A longer gap between clips, in seconds, ends a sequence; no limit by default."""
    running: Annotated[Running, arg(name="")] = field(default_factory=Running)


def sequences(prog: str, arguments: Sequence[str]) -> None:
    """clips.jsonl -> sequences.jsonl and single.jsonl."""
    options = parse_arguments(Sequences, arguments, prog=prog, notes=formats.SEQUENCES)
    require_writable(options.directory)
    shard = options.running.open(prog, arguments)
    from data_prep.records.sequences.stage import (
        CLIPS_PER_SEQUENCE,
        SequenceLimits,
        write_sequences,
    )
    from stepdiff_jax.data.tokenizer import Tokenizer

    most = options.clips_per_sequence
    if most is None and options.tokens is None:
        most = CLIPS_PER_SEQUENCE
    summaries = write_sequences(
        options.directory,
        SequenceLimits(most, options.tokens, options.latents, options.longest_gap),
        tokenizer=Tokenizer(options.tokenizer, options.family) if options.tokenizer else None,
        shard=shard,
    )
    print_summaries(
        {options.directory / name: one for name, one in summaries.items()},
        options.directory / "clips.jsonl",
        shards=shard.count,
    )


@dataclass(frozen=True)
class Pack:
    """Write everything as ArrayRecord datasets."""

    source: Path
    """Directory with clips.jsonl, frames.jsonl, and those to pack of filtered.jsonl (or else
    pairs.jsonl), sequences.jsonl, single.jsonl and conversations.jsonl."""
    destination: Path
    shard_records: int = 1024
    """Records per file."""
    beam_runner: str = ""
    """Pack with Apache Beam (extra [beam]): DirectRunner or another runner."""
    beam_options: tuple[str, ...] = ()
    """Options of the runner, NAME=VALUE."""


def pack(prog: str, arguments: Sequence[str]) -> None:
    """JSON Lines and frames -> the datasets that training reads."""
    options = parse_arguments(Pack, arguments, prog=prog, notes=formats.PACK)
    require_writable(options.destination)
    check_beam(options.beam_runner, options.beam_options)
    if options.beam_runner:
        counts = _pack_with_beam(options)
    else:
        from data_prep.records.pack import pack as pack_records

        counts = pack_records(
            options.source,
            options.destination,
            shard_records=options.shard_records,
        )
    from data_prep.records.dataset.files import record_file

    for kind, number in counts.items():
        read = record_file(options.source, kind).name
        print(f"{options.destination}: {number} {kind} from {read}")


def _pack_with_beam(options: Pack) -> dict[str, int]:
    from data_prep.records.pack_beam import pack_with_beam

    return pack_with_beam(
        options.source,
        options.destination,
        options.beam_runner,
        options.beam_options,
        shard_records=options.shard_records,
    )


@dataclass(frozen=True)
class Features:
    """Encode every packed clip once, for experiments whose data.visual_input is "features"."""

    experiment: Annotated[Experiment, arg(name="")]
    splits: tuple[str, ...] = ()
    """By default, all splits of the packed clips."""


def features(prog: str, arguments: Sequence[str]) -> None:
    """Datasets -> encoder features: CONFIG [--splits SPLIT ...] [--field.sub value ...]."""
    experiment, prog, rest = load_config(prog, arguments)
    options = parse_arguments(Features, rest, prog=prog, default=Features(experiment))
    require_writable(Path(options.experiment.data.directory))
    from data_prep.records.features import cache_features

    for split, number in cache_features(options.experiment, options.splits).items():
        print(f"{options.experiment.data.directory}: {number} clips of {split}")


RECORD_STAGES: dict[str, Command] = {
    "sequences": sequences,
    "pack": pack,
    "features": features,
}
