"""The benchmark stages of `stepdiff prep`: benchmark, validate."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from data_prep.cli import formats
from data_prep.cli.summary import print_summary
from data_prep.similarity.choice import Similarity, open_similarity
from stepdiff_jax.arguments import Command, parse_arguments
from stepdiff_jax.files import require_writable


@dataclass(frozen=True)
class Benchmark:
    """Write the three benchmark files from difference annotations."""

    differences: Path
    """JSON Lines with reference, candidate, keystep, category, captions and score."""
    destination: Path
    """Directory for diffcap_dataset.jsonl, diffmcq_dataset.jsonl and diffrank_dataset.jsonl."""
    similarity: Similarity = "words"
    """How DiffMCQ's negatives are chosen: nearness of their captions to the answer's."""
    similarity_model: str = ""
    """For internvideo, a CONFIG; for transformers (extra [torch]), a directory or name."""
    limit: int | None = None
    """Maximum instances per task, drawn by the seed."""
    hard: int = 12
    """Negatives are drawn from this many nearest captions."""
    seed: int = 0
    retry_quarantined: bool = False
    """Try the annotations in the quarantine file again."""


def benchmark(prog: str, arguments: Sequence[str]) -> None:
    """differences.jsonl -> the benchmark's three files."""
    options = parse_arguments(Benchmark, arguments, prog=prog, notes=formats.ANNOTATED_DIFFERENCES)
    require_writable(options.destination)
    from data_prep.benchmark.stage import write_benchmark_files
    from data_prep.stage.retry import forget_quarantined

    if options.retry_quarantined:
        forget_quarantined(options.destination / "benchmark")
    summary = write_benchmark_files(
        options.differences,
        options.destination,
        embed=open_similarity(options.similarity, options.similarity_model),
        settings={"similarity": options.similarity, "model": options.similarity_model},
        limit=options.limit,
        hard=options.hard,
        seed=options.seed,
    )
    print_summary(options.destination, summary, options.differences)


@dataclass(frozen=True)
class Validate:
    """Check a benchmark file, released or your own."""

    file: Annotated[Positional[Path], arg(metavar="FILE")]
    task: Literal["diffcap", "diffmcq", "diffrank"]


def validate(prog: str, arguments: Sequence[str]) -> None:
    """Check a benchmark file and print its counts: FILE --task T."""
    options = parse_arguments(Validate, arguments, prog=prog, notes=formats.BENCHMARK)
    from data_prep.benchmark.validate import validate_benchmark

    print(json.dumps(validate_benchmark(options.file, options.task)))


BENCHMARK_STAGES: dict[str, Command] = {"benchmark": benchmark, "validate": validate}
