"""Chooses the pairs to show: some with questions that the filter removed, some without."""

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
    """Sampled pairs of the last available stage.

    stage: "filtered", "questions" or "pairs"; "" if there are no pairs.
    of: number of all pairs.
    touched: number of pairs with removed questions.
    """

    stage: str
    rows: list[ShownPair]
    of: int
    touched: int


def sample_pairs(directory: Path, count: int, seed: int) -> Sample:
    """Sample `count` pairs of the last available stage, including those that the filter emptied.

    Reads the files twice, so that not all pairs are in memory.

    Raises:
        InputError: a file cannot be read, or a line lacks reference or candidate.
    """
    for stage in STAGES:
        touched = [bool(row.removed) for row in _pairs(directory, stage)]
        if not touched:
            continue
        indices = choose(touched, count, seed)
        wanted = set(indices)
        rows = {index: row for index, row in enumerate(_pairs(directory, stage)) if index in wanted}
        return Sample(stage, [rows[index] for index in indices], len(touched), sum(touched))
    return Sample("", [], 0, 0)


def choose(touched: Sequence[bool], count: int, seed: int) -> list[int]:
    """Choose `count` indices by a seed, alternating between touched and untouched pairs.

    When one kind runs out, the other continues. Deterministic.
    """
    order = [int(index) for index in np.random.default_rng(seed).permutation(len(touched))]
    changed = [index for index in order if touched[index]]
    whole = [index for index in order if not touched[index]]
    number = min(len(changed), max(-(-count // 2), count - len(whole)))
    kinds = changed[:number], whole[: count - number]
    return [index for turn in zip_longest(*kinds) for index in turn if index is not None]


def _pairs(directory: Path, stage: str) -> Iterator[ShownPair]:
    yield from stream_stage(directory, stage, ShownPair)
    if stage == STAGES[0]:
        emptied = stream_stage(directory, stage, ShownPair, ".quarantine.jsonl")
        yield from (pair for pair in emptied if pair.removed)
