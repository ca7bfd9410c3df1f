"""Splits the clips of a video into consecutive groups by number or token budget (ours)."""

import itertools
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def split_evenly(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    """Split into the fewest consecutive groups of at most `most` items, of nearly equal size."""
    groups = -(-len(items) // most)
    edges = [len(items) * number // groups for number in range(groups + 1)]
    return [items[start:end] for start, end in itertools.pairwise(edges)]


def split_by_cost(
    items: Sequence[Item], costs: Sequence[int], budget: int, most: int | None = None
) -> list[Sequence[Item]]:
    """Split into the fewest consecutive groups within the budget, as evenly as possible.

    Minimizes the sum of squared costs; among ties, the last groups are the shortest.

    Args:
        costs: costs of the items in tokens, each positive and at most `budget`.
        budget: maximum total cost of a group.
        most: maximum items per group; None for no limit.
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
    """Split items wherever one starts more than `longest` seconds after all before it ended.

    Args:
        starts, ends: times of the items in seconds, in order of start.
        longest: longest gap within a run; None for no limit.
    """
    edges = [0]
    heard = float("-inf")
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if longest is not None and index and start - heard > longest:
            edges.append(index)
        heard = max(heard, end)
    return [items[start:end] for start, end in itertools.pairwise([*edges, len(items)])]
