"""The commands of `stepdiff bench`."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stepdiff_jax.arguments import Command, parse_arguments
from stepdiff_jax.errors import InputError
from stepdiff_jax.ran_on import machine

Part = Literal["frames", "pair", "pack"]


@dataclass(frozen=True)
class Prep:
    """Measure how fast this machine prepares data, and how much memory it takes.

    All inputs are synthetic and in a temporary directory: videos, clips, descriptions, questions.
    """

    parts: tuple[Part, ...] = ("frames", "pair", "pack")
    processes: int = 2
    """Processes that decode video; a single one is measured too."""
    frames_clips: int = 32
    """10 s clips to decode, including a few for start-up."""
    video_seconds: int = 20
    video_size: tuple[int, int] = (1280, 720)
    pair_clips: int = 87740
    keysteps: int = 5000
    pack_pairs: int = 20000
    seed: int = 0
    json: bool = False
    """Print one JSON object."""


def prep(prog: str, arguments: Sequence[str]) -> None:
    """Measure frames, pairs and packed records per second, and memory."""
    options = parse_arguments(Prep, arguments, prog=prog)
    _check(options)
    from data_prep.bench.parts import measure_frames, measure_pack, measure_pair

    found: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as temporary:
        for part in dict.fromkeys(options.parts):
            directory = Path(temporary) / part
            if part == "frames":
                found[part] = measure_frames(
                    directory,
                    clips=options.frames_clips,
                    seconds=options.video_seconds,
                    size=options.video_size,
                    processes=options.processes,
                )
            elif part == "pair":
                found[part] = measure_pair(
                    directory,
                    clips=options.pair_clips,
                    keysteps=options.keysteps,
                    seed=options.seed,
                )
            else:
                found[part] = measure_pack(directory, pairs=options.pack_pairs, seed=options.seed)
    print(json.dumps(found) if options.json else "\n".join(_lines(found)))


def _check(options: Prep) -> None:
    least = {"processes": 1, "frames_clips": 16, "video_seconds": 10, "keysteps": 1}
    least |= {"pair_clips": 100, "pack_pairs": 10}
    for name, value in least.items():
        if getattr(options, name) < value:
            flag = name.replace("_", "-")
            raise InputError(f"--{flag} must be at least {value}, got {getattr(options, name)}")
    if min(options.video_size) < 16 or any(side % 2 for side in options.video_size):
        raise InputError(f"--video-size must be even and at least 16, got {options.video_size}")


def _lines(found: dict[str, Any]) -> list[str]:
    lines = ["{cores} cores, {processor}, load {load:.1f} at the start".format(**found["machine"])]
    if "frames" in found:
        frames = found["frames"]
        lines += [
            f"frames, {count} process{'es' * (count != '1')}: {_rate(rate, 'clips')}"
            for count, rate in frames["processes"].items()
        ]
        lines.append(
            f"  speed-up {frames['speed_up']:.2f}; {frames['bytes_per_clip'] / 1e3:.0f} KB per "
            f"clip; videos of {frames['bits_per_second'] / 1e6:.1f} Mbit/s"
        )
    if "pair" in found:
        pair = found["pair"]
        lines += [
            f"pair: {pair['pairs_per_second']:.0f} pairs/s; {_rate(pair, 'clips')}",
            f"  {pair['clips']} clips of {pair['keysteps']} keysteps ({pair['largest_keystep']} in "
            f"the largest) -> {pair['pairs']} pairs in {pair['seconds']:.0f} s; "
            f"{pair['compared_per_second']:.0f} compared/s",
        ]
    if "pack" in found:
        pack = found["pack"]
        lines.append(f"pack: {_rate(pack, 'pairs')}; {pack['bytes_per_pair']} bytes per pair")
    return lines


def _rate(rate: dict[str, float], records: str) -> str:
    return (
        f"{rate['records_per_second']:.1f} {records}/s, "
        f"{1e3 * rate['core_seconds_per_record']:.2f} ms of CPU each, "
        f"{rate['peak_bytes'] / 1e6:.0f} MB peak"
    )


@dataclass(frozen=True)
class Prompts:
    """Count the tokens of language model prompts and answers on kitchen sentences."""

    tokenizer: Path
    """tokenizer.model or tokenizer.json."""
    family: str = "llama2"
    """The tokenizer's language model family: llama2, llama3, ..."""
    samples: int = 300
    seed: int = 0


def prompts(prog: str, arguments: Sequence[str]) -> None:
    """Count tokens per call of describe and question; prints one JSON object."""
    options = parse_arguments(Prompts, arguments, prog=prog)
    if options.samples < 1:
        raise InputError(f"--samples must be at least 1, got {options.samples}")
    from data_prep.bench.prompts import count_tokens
    from stepdiff_jax.data.tokenizer import Tokenizer

    tokenizer = Tokenizer(options.tokenizer, options.family)
    print(json.dumps(count_tokens(tokenizer, samples=options.samples, seed=options.seed)))


@dataclass(frozen=True)
class Corpus:
    """Print what preparing a number of clips would take, as a table with its arithmetic."""

    clips: int
    prep: Path
    """Output of bench prep --json."""
    prompts: Path
    """Output of bench prompts."""


def corpus(prog: str, arguments: Sequence[str]) -> None:
    """Estimate core hours, tokens and terabytes for many clips: --clips N --prep F --prompts F."""
    options = parse_arguments(Corpus, arguments, prog=prog)
    if options.clips < 1:
        raise InputError(f"--clips must be at least 1, got {options.clips}")
    from data_prep.bench.corpus import estimate, table
    from stepdiff_jax.json_files import read_object

    figures = read_object(options.prep), read_object(options.prompts)
    try:
        rows = estimate(options.clips, *figures)
    except KeyError as error:
        raise InputError(f"{options.prep} and {options.prompts}: have no figure {error}") from error
    print(table(rows))


BENCHES: dict[str, Command] = {"prep": prep, "prompts": prompts, "corpus": corpus}
