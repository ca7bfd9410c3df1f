"""Cuts the clips of a video into consecutive groups: by number, or by a budget of tokens (ours)."""

import itertools
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def split_evenly(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    """As few consecutive groups of at most `most` items as hold all, their sizes one apart."""
    groups = -(-len(items) // most)
    edges = [len(items) * number // groups for number in range(groups + 1)]
    return [items[start:end] for start, end in itertools.pairwise(edges)]


def split_by_cost(
    items: Sequence[Item], costs: Sequence[int], budget: int, most: int | None = None
) -> list[Sequence[Item]]:
    """As few consecutive groups as hold all, and among these the most even ones.

    Even: the least sum of squared costs. Of equals, the one whose last groups are the shortest.

    Args:
        costs: of the items, in tokens; each is positive and at most `budget`.
        budget: what the costs of a group add up to at most.
        most: items of a group at most; None: any number.
    """
    # best[end]: groups, squared costs and the start of the last group for the first `end` items.
    best: list[tuple[int, int, int]] = [(0, 0, 0)]
    for end in range(1, len(items) + 1):
        choices = []
        cost = 0
        for start in range(end - 1, -1, -1):
            cost += costs[start]
            if cost > budget or (most is not None and end - start > most):
                break
            groups, squares, _ = best[start]
            choices.append((groups + 1, squares + cost * cost, start))
        best.append(min(choices, key=lambda choice: (choice[0], choice[1], -choice[2])))
    edges = [len(items)]
    while edges[-1]:
        edges.append(best[edges[-1]][2])
    return [items[start:end] for start, end in itertools.pairwise(reversed(edges))]


def cut_at_gaps(
    items: Sequence[Item], starts: Sequence[float], ends: Sequence[float], longest: float | None
) -> list[Sequence[Item]]:
    """Runs of items in which none starts more than `longest` seconds after all before it ended.

    Args:
        starts, ends: of the items, in seconds, in order of start.
        longest: None: no gap is too long.
    """
    edges = [0]
    heard = float("-inf")
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if longest is not None and place and start - heard > longest:
            edges.append(place)
        heard = max(heard, end)
    return [items[start:end] for start, end in itertools.pairwise([*edges, len(items)])]
