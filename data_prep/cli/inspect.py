"""`stepdiff prep inspect`: an HTML page about the prepared data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stepdiff_jax.arguments import Command, parse_arguments
from stepdiff_jax.files import require_writable_file


@dataclass(frozen=True)
class Inspect:
    """Write an HTML page with the counts of all stages and a sample of pairs."""

    source: Path
    """Directory of the stages' output: clips.jsonl, pairs.jsonl, *.summary.json, ..."""
    destination: Path
    """Output HTML file, self-contained."""
    sample: int = 20
    """Number of pairs; half of them with questions that the filter removed."""
    seed: int = 0


def inspect(prog: str, arguments: Sequence[str]) -> None:
    """Output of the stages -> an HTML page."""
    options = parse_arguments(Inspect, arguments, prog=prog)
    require_writable_file(options.destination)
    from data_prep.inspect.stage import write_page

    shown = write_page(
        options.source, options.destination, sample=options.sample, seed=options.seed
    )
    print(f"{options.destination}: {shown} pairs, {options.destination.stat().st_size:,} bytes")


INSPECT: dict[str, Command] = {"inspect": inspect}
