"""The stages of `stepdiff prep` that read annotations: clips, differences, LLaVA-style JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from data_prep.cli import formats
from data_prep.cli.running import Running
from data_prep.cli.summary import print_summaries
from stepdiff_jax.arguments import Command, parse_arguments
from stepdiff_jax.errors import InputError
from stepdiff_jax.exit_codes import SET_ASIDE
from stepdiff_jax.files import require_writable, require_writable_file

if TYPE_CHECKING:
    from data_prep.sources.base import Source
    from data_prep.sources.limits import ClipLimits


@dataclass(frozen=True)
class Clips:
    """Join a source's segments and HowTo100M's narration into clips.jsonl."""

    destination: Path
    """Output directory for clips.jsonl."""
    htstep: Path | None = None
    """Directory of annotations.json, taxonomy.csv and video_splits.json; short for --source htstep
    --annotations DIR."""
    source: str = "htstep"
    """Source of the annotations: benchmark, captaincook4d, htstep or llava."""
    annotations: Path | None = None
    """The source's directory; for llava, a JSON or JSON Lines file; for benchmark, either."""
    captions: Path | None = None
    """raw_caption.json, a sentence-level file in the same format, or HTM-AA's CSV."""
    videos: Path | None = None
    """Directory of the video files, VIDEO.mp4, .webm, .mkv, .avi, .mov, .m4v, .mpg, .mpeg, .ts,
    .mts, .m2ts, .3gp, .flv, .wmv or .ogv, also in upper case. If omitted, files are not looked
    up."""
    shortest: float | None = None
    """Minimum length in seconds; shorter segments are dropped. Default: 4, none for benchmark."""
    longest: float | None = None
    """Maximum length in seconds. Default: 30, none for benchmark."""
    duplicate_overlap: float = 0.8
    """Segments of one keystep with at least this intersection over union count as one clip."""
    margin: float = 0.0
    """Include narration from this many seconds before a clip until as many after it."""
    exclude: tuple[Path, ...] = ()
    """Benchmark files to leave out; by "pair", prep pair does that."""
    exclude_by: Literal["pair", "clip", "video"] = "pair"
    running: Annotated[Running, arg(name="")] = field(default_factory=Running)


def clips(prog: str, arguments: Sequence[str]) -> None:
    """A source's segments and HowTo100M's narration -> clips.jsonl."""
    options = parse_arguments(Clips, arguments, prog=prog, notes=formats.CLIPS)
    require_writable(options.destination)
    shard = options.running.open(prog, arguments)
    from data_prep.benchmark.held_out import read_evaluation_clips
    from data_prep.sources.clips import write_clips

    source = _source(options.source, options.annotations, options.htstep)
    summary = write_clips(
        source,
        options.captions,
        options.videos,
        options.destination,
        clip_limits(options),
        exclude=read_evaluation_clips(options.exclude, options.exclude_by),
        shard=shard,
    )
    print_summaries(
        {options.destination: summary},
        *_files(source, options),
        options.captions,
        shards=shard.count,
    )


def clip_limits(options: Clips) -> "ClipLimits":
    """The limits of clips: the source's own where an option was not given.

    Raises:
        InputError: they contradict each other.
    """
    from data_prep.sources.limits import ClipLimits
    from data_prep.sources.registry import LIMITS

    lengths = {"shortest": options.shortest, "longest": options.longest}
    return replace(
        LIMITS.get(options.source, ClipLimits()),
        **{name: value for name, value in lengths.items() if value is not None},
        duplicate_overlap=options.duplicate_overlap,
        margin=options.margin,
    )


@dataclass(frozen=True)
class Differences:
    """Pair each step done with errors with the same step done correctly."""

    annotations: Path
    """The source's directory."""
    destination: Path
    """Output differences.jsonl."""
    source: str = "captaincook4d"
    """Source of the annotations."""
    videos: Path | None = None
    """Directory of the video files; with endings as for `prep clips`. If omitted, not looked up."""
    shortest: float = 4.0
    """Minimum length in seconds; use prep clips' limits, so that it has both clips of a pair."""
    longest: float = 30.0
    duplicate_overlap: float = 0.8
    splits: tuple[str, ...] = ()
    """Splits to make pairs from, each pair within one split; all by default."""
    seed: int = 0
    """Chooses among several correct executions of a step."""
    running: Annotated[Running, arg(name="")] = field(default_factory=Running)


def differences(prog: str, arguments: Sequence[str]) -> None:
    """A source's correct and erroneous steps -> differences.jsonl, for prep benchmark."""
    options = parse_arguments(Differences, arguments, prog=prog, notes=formats.DIFFERENCES)
    require_writable_file(options.destination)
    shard = options.running.open(prog, arguments)
    from data_prep.sources.differences import write_differences
    from data_prep.sources.limits import ClipLimits

    source = _source(options.source, options.annotations, None)
    summary = write_differences(
        source,
        options.destination,
        ClipLimits(options.shortest, options.longest, options.duplicate_overlap),
        videos=options.videos,
        splits=options.splits,
        seed=options.seed,
        shard=shard,
    )
    print_summaries({options.destination: summary}, *_files(source, options), shards=shard.count)


def _files(source: "Source", options: Clips | Differences) -> Sequence[Path | None]:
    """The files that a source reads, or what the user named."""
    return getattr(source, "files", None) or [options.annotations]


def _source(name: str, annotations: Path | None, htstep: Path | None) -> "Source":
    """Open the source named by --source and --annotations, or by --htstep alone."""
    if htstep is not None and (annotations is not None or name != "htstep"):
        raise InputError(f"--htstep {htstep}: cannot be combined with --source or --annotations")
    path = htstep or annotations
    if path is None:
        raise InputError("either --htstep DIR or --source NAME --annotations DIR is needed")
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
    """Output JSON file."""
    videos: Path | None = None
    """Directory that video names are relative to; clips.jsonl's by default."""


def export_llava(prog: str, arguments: Sequence[str]) -> None:
    """clips.jsonl and pairs.jsonl -> LLaVA-style JSON with two videos."""
    options = parse_arguments(ExportLlava, arguments, prog=prog)
    require_writable_file(options.destination)
    from data_prep.sources.export_llava import export_llava as write

    summary = write(options.clips, options.pairs, options.destination, options.videos)
    print_summaries({options.destination: summary}, options.clips, options.pairs)


@dataclass(frozen=True)
class ImportLlava:
    """Read LLaVA-style JSON about one or more videos.

    Ends with exit code 3 if items were set aside; the quarantine file has them with the reasons."""

    source: Path
    """A JSON list of items with video and conversations, or JSON Lines."""
    videos: Path
    """Directory that the items' video names are relative to."""
    destination: Path
    """Output directory for clips.jsonl with pairs.jsonl, conversations.jsonl or both."""
    split: str = "train"
    """Split of items that name none."""
    retry_quarantined: bool = False
    """Try the items in the quarantine file again."""


def import_llava(prog: str, arguments: Sequence[str]) -> None:
    """LLaVA-style JSON -> clips.jsonl, pairs.jsonl and conversations.jsonl."""
    options = parse_arguments(ImportLlava, arguments, prog=prog, notes=formats.LLAVA)
    require_writable(options.destination)
    from data_prep.sources.import_llava import forget_invalid
    from data_prep.sources.import_llava import import_llava as read

    if options.retry_quarantined:
        forget_invalid(options.destination)
    summaries = read(options.source, options.videos, options.destination, split=options.split)
    print_summaries(
        {options.destination / name: one for name, one in summaries.items()}, options.source
    )
    if any(summary["dropped"] for summary in summaries.values()):
        raise SystemExit(SET_ASIDE)


SOURCE_STAGES: dict[str, Command] = {"clips": clips}
DIFFERENCES: dict[str, Command] = {"differences": differences}
EXCHANGE: dict[str, Command] = {"export-llava": export_llava, "import-llava": import_llava}
