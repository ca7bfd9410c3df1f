"""`stepdiff prep` beside its stages: LLaVA's JSON in and out, and a page to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.cli.text import print_summary
from stepdiff_jax.arguments import Command, parse_arguments


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
    from data_prep.sources.llava import export_llava as write

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
    from data_prep.sources.llava import import_llava as read

    summaries = read(options.source, options.videos, options.destination, split=options.split)
    for name, summary in summaries.items():
        print_summary(options.destination / name, summary)


@dataclass(frozen=True)
class Inspect:
    """Write one page with the counts of all stages and a sample of pairs."""

    source: Path
    """Directory of what the stages left: clips.jsonl, pairs.jsonl, *.summary.json, ..."""
    destination: Path
    """The HTML file, to be written; it needs no other file."""
    sample: int = 20
    """Pairs; half of them such that the filter removed something."""
    seed: int = 0


def inspect(prog: str, arguments: Sequence[str]) -> None:
    """What the stages left -> a page to look at."""
    options = parse_arguments(Inspect, arguments, prog=prog)
    from data_prep.inspect.write import write_page

    shown = write_page(
        options.source, options.destination, sample=options.sample, seed=options.seed
    )
    print(f"{options.destination}: {shown} pairs, {options.destination.stat().st_size:,} bytes")


EXCHANGE: dict[str, Command] = {
    "export-llava": export_llava,
    "import-llava": import_llava,
    "inspect": inspect,
}
