"""Clips by name, as requests put them into a prompt: their latents, or texts instead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stepdiff_jax.data.prompts import Segment, Text, Video
from stepdiff_jax.errors import InputError


class ClipTable(Protocol):
    """What fills a clip's slot in a prompt: a video's latents, or a text instead."""

    @property
    def latents(self) -> np.ndarray | None:
        """[clips, latents, E] in host memory; None if slots hold text."""
        ...

    def segment(self, clip: str) -> Segment:
        """The content of a clip's slot; raises InputError if the clip is unknown."""
        ...


@dataclass(frozen=True)
class LatentTable:
    """Clips by their latents, which are computed once per clip.

    ids: clip id -> index into `latents`; latents: [clips, latents, E].
    """

    ids: Mapping[str, int]
    latents: np.ndarray

    def segment(self, clip: str) -> Segment:
        """See `ClipTable`."""
        if clip not in self.ids:
            raise InputError(f"clip {clip!r} is not among the {len(self.ids)} clips of the data")
        return Video(self.ids[clip])


@dataclass(frozen=True)
class DescriptionTable:
    """Clips by their descriptions (Socratic models)."""

    descriptions: Mapping[str, str]

    @property
    def latents(self) -> None:
        """See `ClipTable`."""

    def segment(self, clip: str) -> Segment:
        """See `ClipTable`."""
        if clip not in self.descriptions:
            raise InputError(f"clip {clip!r} has no description")
        return Text(self.descriptions[clip])
