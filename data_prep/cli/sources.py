"""The stages of `stepdiff prep` that read annotations: clips, differences, LLaVA's JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from data_prep.cli.summary import print_summary
from stepdiff_jax.arguments import Command, parse_arguments
from stepdiff_jax.errors import InputError

if TYPE_CHECKING:
    from data_prep.sources.base import Source


@dataclass(frozen=True)
class Clips:
    """Join a source's segments and HowTo100M's narration into clips.jsonl."""

    destination: Path
    """Directory of clips.jsonl, to be written."""
    htstep: Path | None = None
    """Directory of annotations.json, taxonomy.csv and video_splits.json; for --source htstep
    --annotations DIR."""
    source: str = "htstep"
    """Whose annotations: captaincook4d, htstep or llava."""
    annotations: Path | None = None
    """The source's directory; of llava, a JSON file."""
    captions: Path | None = None
    """raw_caption.json, a sentence-level file of the same form, or HTM-AA's CSV."""
    videos: Path | None = None
    """Directory of the video files; without it none is looked for."""
    shortest: float = 4.0
    """Seconds; a shorter segment is no clip."""
    longest: float = 30.0
    duplicate_overlap: float = 0.8
    """Segments of one keystep that share this much of their union are one clip."""
    margin: float = 0.0
    """Narration counts from this many seconds before a clip to as many after it."""
    exclude: tuple[Path, ...] = ()
    """Benchmark files that are left out; by "pair" it is prep pair that does it."""
    exclude_by: Literal["pair", "clip", "video"] = "pair"
    shard: str = "1/1"


def clips(prog: str, arguments: Sequence[str]) -> None:
    """A source's segments and HowTo100M's narration -> clips.jsonl."""
    options = parse_arguments(Clips, arguments, prog=prog)
    from data_prep.benchmark.held_out import read_evaluation_clips
    from data_prep.sources.clips import write_clips
    from data_prep.sources.limits import ClipLimits
    from data_prep.stage import Shard

    summary = write_clips(
        _source(options.source, options.annotations, options.htstep),
        options.captions,
        options.videos,
        options.destination,
        ClipLimits(options.shortest, options.longest, options.duplicate_overlap, options.margin),
        exclude=read_evaluation_clips(options.exclude, options.exclude_by),
        shard=Shard.parse(options.shard),
    )
    print_summary(options.destination, summary)


@dataclass(frozen=True)
class Differences:
    """Compare each step that was done wrong with the same step done right."""

    annotations: Path
    """The source's directory."""
    destination: Path
    """differences.jsonl, to be written."""
    source: str = "captaincook4d"
    """Whose annotations."""
    videos: Path | None = None
    """Directory of the video files; without it none is looked for."""
    shortest: float = 4.0
    """Seconds; as for prep clips, so that both clips of a pair are clips there."""
    longest: float = 30.0
    duplicate_overlap: float = 0.8
    splits: tuple[str, ...] = ()
    """Splits that pairs are made of, each within one; all where none is named."""
    seed: int = 0
    """Draws the step done right, of several."""
    shard: str = "1/1"


def differences(prog: str, arguments: Sequence[str]) -> None:
    """A source's steps done right and done wrong -> differences.jsonl, for prep benchmark."""
    options = parse_arguments(Differences, arguments, prog=prog)
    from data_prep.sources.differences import write_differences
    from data_prep.sources.limits import ClipLimits
    from data_prep.stage import Shard

    summary = write_differences(
        _source(options.source, options.annotations, None),
        options.destination,
        ClipLimits(options.shortest, options.longest, options.duplicate_overlap),
        videos=options.videos,
        splits=options.splits,
        seed=options.seed,
        shard=Shard.parse(options.shard),
    )
    print_summary(options.destination, summary)


def _source(name: str, annotations: Path | None, htstep: Path | None) -> "Source":
    """The source that --source and --annotations name, or --htstep alone."""
    if htstep is not None and (annotations is not None or name != "htstep"):
        raise InputError(f"--htstep {htstep}: goes without --source and --annotations")
    path = htstep or annotations
    if path is None:
        raise InputError("--htstep is missing; or --source NAME --annotations DIR")
    from data_prep.sources.registry import open_source

    return open_source(name, path)


@dataclass(frozen=True)
class ExportLlava:
    """Write pairs and their questions as LLaVA-style JSON with two videos."""

    clips: Path
    """clips.jsonl."""
    pairs: Path
    """pairs.jsonl, with questions."""
    destination: Path
    """The JSON file, to be written."""
    videos: Path | None = None
    """The files are named relative to this directory; clips.jsonl's by default."""


def export_llava(prog: str, arguments: Sequence[str]) -> None:
    """clips.jsonl and pairs.jsonl -> LLaVA-style JSON with two videos."""
    options = parse_arguments(ExportLlava, arguments, prog=prog)
    from data_prep.sources.export_llava import export_llava as write

    summary = write(options.clips, options.pairs, options.destination, options.videos)
    print_summary(options.destination, summary)


@dataclass(frozen=True)
class ImportLlava:
    """Read LLaVA-style JSON with two videos."""

    source: Path
    """A JSON list of items with video, conversations and, if need be, segments."""
    videos: Path
    """Directory that the items' files are relative to."""
    destination: Path
    """Directory of clips.jsonl and pairs.jsonl, to be written."""
    split: str = "train"
    """Of items that name none."""


def import_llava(prog: str, arguments: Sequence[str]) -> None:
    """LLaVA-style JSON with two videos -> clips.jsonl and pairs.jsonl."""
    options = parse_arguments(ImportLlava, arguments, prog=prog)
    from data_prep.sources.import_llava import import_llava as read

    summaries = read(options.source, options.videos, options.destination, split=options.split)
    for name, summary in summaries.items():
        print_summary(options.destination / name, summary)


SOURCE_STAGES: dict[str, Command] = {"clips": clips}
DIFFERENCES: dict[str, Command] = {"differences": differences}
EXCHANGE: dict[str, Command] = {"export-llava": export_llava, "import-llava": import_llava}
