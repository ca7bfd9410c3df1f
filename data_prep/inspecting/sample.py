"""Chooses the pairs that a page shows: some of which the filter removed something, some not."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from data_prep.inspecting.stage_files import read_stage
from data_prep.text_stage import Row
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import shorten


@dataclass(frozen=True)
class Pairs:
    """The pairs as far as they came: `stage` is "filtered", "questions", "pairs" or empty."""

    stage: str
    rows: list[Row]


def read_pairs(directory: Path) -> Pairs:
    """The lines of the last stage that there is, with those that the filter emptied.

    Raises:
        InputError: a file cannot be read, or a line names no reference and candidate.
    """
    for stage in ("filtered", "questions", "pairs"):
        rows = read_stage(directory, stage)
        if stage == "filtered":
            rows += [
                row
                for row in read_stage(directory, stage, ".quarantine.jsonl")
                if row.get("removed")
            ]
        for row in rows:
            for side in ("reference", "candidate"):
                if not isinstance(row.get(side), str):
                    raise InputError(
                        f"{directory}: a line of {stage} has no {side}: {shorten(row)}"
                    )
        if rows:
            return Pairs(stage, rows)
    return Pairs("", [])


def choose(rows: Sequence[Row], count: int, seed: int) -> list[int]:
    """Places of `count` rows: one with something removed, one without, in turn, by a seed.

    Where one kind is used up, the other goes on. A function of its arguments.
    """
    order = [int(place) for place in np.random.default_rng(seed).permutation(len(rows))]
    touched = [place for place in order if rows[place].get("removed")]
    whole = [place for place in order if not rows[place].get("removed")]
    number = min(len(touched), max(-(-count // 2), count - len(whole)))
    kinds = touched[:number], whole[: count - number]
    return [place for turn in zip_longest(*kinds) for place in turn if place is not None]
