"""VLEmbed: videos and texts in one embedding space (paper, section 4, baselines)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stepdiff_jax.evaluation.benchmark_files import DiffCap, DiffMCQ, DiffRank
from stepdiff_jax.inference.encode import unit_length


@dataclass(frozen=True)
class VLEmbed:
    """Cosine similarities of InternVideo's or CLIP's features.

    videos: clip id -> feature [D]; texts: from N texts to features [N, D]; any scale.
    """

    videos: dict[str, np.ndarray]
    texts: Callable[[Sequence[str]], np.ndarray]

    def caption(self, instances: Sequence[DiffCap]) -> None:
        """Embeddings cannot write (the dashes of Table 1)."""

    def choose(self, instances: Sequence[DiffMCQ]) -> np.ndarray:
        """Cosine between the difference and the mean of the pair's video features, [N, 4]."""
        texts = unit_length(self.texts([one.difference for one in instances]))
        pairs = np.stack(
            [[self._video(a) + self._video(b) for a, b in one.options] for one in instances]
        )
        return np.einsum("nd,nod->no", texts, unit_length(pairs))

    def rank(self, instances: Sequence[DiffRank]) -> np.ndarray:
        """Cosine between the reference's and each target's feature, [N, 4]."""
        references = np.stack([self._video(one.reference) for one in instances])
        targets = np.stack([[self._video(clip) for clip in one.targets] for one in instances])
        return np.einsum("nd,nod->no", references, targets)

    def _video(self, clip: str) -> np.ndarray:
        return unit_length(self.videos[clip])
