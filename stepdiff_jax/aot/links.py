"""How long a collective takes on a slice's links."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from stepdiff_jax.aot.topology import Chip

HOP_SECONDS = 1e-6
"""From a chip to its neighbour ("How to Scale Your Model", chapter 3)."""

ROUNDS = {"all-reduce": 2}
"""How often the data go round; once unless said: an all-reduce scatters and gathers."""


@dataclass(frozen=True)
class Links:
    """The links between a slice's chips, which form a grid.

    chip: what they are; shape: chips along each axis of the grid; places: coordinates of each
        device of a program, in its order.
    """

    chip: Chip
    shape: tuple[int, ...]
    places: Sequence[tuple[int, ...]]

    @cached_property
    def _closed(self) -> tuple[bool, ...]:
        return tuple(self.chip.closes(self.shape, axis) for axis in range(len(self.shape)))

    def seconds(self, kind: str, size: int, group: Sequence[int]) -> float:
        """Seconds that a collective takes, if it has the links to itself.

        A ring or line along every axis that the group spans works on its share of the data.

        Args:
            size: bytes gathered, or before they are scattered or reduced.
            group: devices that take part, as indices into `places`.
        """
        if len(group) < 2:
            return 0.0
        if kind == "collective-permute":
            # The compiler issues them in pairs, one for each direction of a ring.
            return max(HOP_SECONDS, size / (2 * self.chip.link))
        links = hops = 0
        for axis, length in enumerate(self.shape):
            values = {self.places[one][axis] for one in group}
            if len(values) > 1:
                ring = self._closed[axis] and len(values) == length
                links += 2 if ring else 1
                hops += length // 2 if ring else max(values) - min(values)
        share = (len(group) - 1) / len(group)
        wire = size * share / (max(1, links) * self.chip.link)
        return ROUNDS.get(kind, 1) * max(hops * HOP_SECONDS, wire)
