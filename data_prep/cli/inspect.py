"""`stepdiff prep inspect`: a page to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stepdiff_jax.arguments import Command, parse_arguments


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
    from data_prep.inspect.stage import write_page

    shown = write_page(
        options.source, options.destination, sample=options.sample, seed=options.seed
    )
    print(f"{options.destination}: {shown} pairs, {options.destination.stat().st_size:,} bytes")


INSPECT: dict[str, Command] = {"inspect": inspect}
