"""Chooses the pairs that a page shows: some of which the filter removed something, some not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from data_prep.inspect.stage_files import stream_stage
from data_prep.schema.pages import ShownPair

STAGES = ("filtered", "questions", "pairs")


@dataclass(frozen=True)
class Sample:
    """Some pairs, as far as they came.

    stage: "filtered", "questions" or "pairs"; empty where there are none.
    of: pairs that there are; `touched`: those of them that the filter removed something of.
    """

    stage: str
    rows: list[ShownPair]
    of: int
    touched: int


def sample_pairs(directory: Path, count: int, seed: int) -> Sample:
    """`count` lines of the last stage that there is, with those that the filter emptied.

    The files are read twice, so that not all pairs need be in memory.

    Raises:
        InputError: a file cannot be read, or a line names no reference and candidate.
    """
    for stage in STAGES:
        touched = [bool(row.removed) for row in _pairs(directory, stage)]
        if not touched:
            continue
        places = choose(touched, count, seed)
        wanted = set(places)
        rows = {place: row for place, row in enumerate(_pairs(directory, stage)) if place in wanted}
        return Sample(stage, [rows[place] for place in places], len(touched), sum(touched))
    return Sample("", [], 0, 0)


def choose(touched: Sequence[bool], count: int, seed: int) -> list[int]:
    """`count` places: one that is touched, one that is not, in turn, by a seed.

    Where one kind is used up, the other goes on. A function of its arguments.
    """
    order = [int(place) for place in np.random.default_rng(seed).permutation(len(touched))]
    changed = [place for place in order if touched[place]]
    whole = [place for place in order if not touched[place]]
    number = min(len(changed), max(-(-count // 2), count - len(whole)))
    kinds = changed[:number], whole[: count - number]
    return [place for turn in zip_longest(*kinds) for place in turn if place is not None]


def _pairs(directory: Path, stage: str) -> Iterator[ShownPair]:
    yield from stream_stage(directory, stage, ShownPair)
    if stage == STAGES[0]:
        emptied = stream_stage(directory, stage, ShownPair, ".quarantine.jsonl")
        yield from (pair for pair in emptied if pair.removed)
