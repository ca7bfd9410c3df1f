"""VLEmbed: videos and texts in one embedding space (paper, section 4, baselines)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from stepdiff_jax.evaluation.benchmark_files import DiffCap, DiffMCQ, DiffRank
from stepdiff_jax.evaluation.system import ChoiceQuestion, Opening, Scored
from stepdiff_jax.inference.encode import encode_clips, unit_length
from stepdiff_jax.inference.encoder import open_encoder
from stepdiff_jax.progress import ProgressLine
from stepdiff_jax.systems.clip_visuals import clip_visuals
from stepdiff_jax.systems.options import SystemOptions

Variant = Literal["average", "reference", "candidate", "difference"]

PAIR_FEATURES: dict[Variant, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "average": lambda reference, candidate: reference + candidate,
    "reference": lambda reference, _: reference,
    "candidate": lambda _, candidate: candidate,
    "difference": lambda reference, candidate: candidate - reference,
}
"""A pair's feature, of any length, from its clips' features of length 1 (ours)."""


@dataclass(frozen=True)
class VLEmbed:
    """Cosine similarities of InternVideo's or CLIP's features.

    videos: clip id -> feature [D]; texts: maps N texts to features [N, D]; any scale.
    variant: what a pair's feature is in DiffMCQ.
    """

    videos: Mapping[str, np.ndarray]
    texts: Callable[[Sequence[str]], np.ndarray]
    variant: Variant = "average"

    @property
    def settings(self) -> dict[str, Any]:
        """See `System`."""
        return {"similarity": "cosine", "variant": self.variant}

    def caption(self, instances: Sequence[DiffCap]) -> None:
        """None: embeddings cannot generate text (the dashes in Table 1)."""

    def choose(self, instances: Sequence[DiffMCQ]) -> list[Scored]:
        """Cosine between the difference and the feature of the pair."""
        texts = unit_length(self.texts([one.difference for one in instances]))
        feature = PAIR_FEATURES[self.variant]
        pairs = np.stack(
            [[feature(self._video(a), self._video(b)) for a, b in one.options] for one in instances]
        )
        return _scored(np.einsum("nd,nod->no", texts, unit_length(pairs)))

    def rank(self, instances: Sequence[DiffRank]) -> list[Scored]:
        """Cosine between the reference's and each target's feature."""
        references = np.stack([self._video(one.reference) for one in instances])
        targets = np.stack([[self._video(clip) for clip in one.targets] for one in instances])
        return _scored(np.einsum("nd,nod->no", references, targets))

    def answer(self, instances: Sequence[ChoiceQuestion]) -> None:
        """None: an embedding of a question is not one of its answer."""

    def _video(self, clip: str) -> np.ndarray:
        return unit_length(self.videos[clip])


def _scored(table: np.ndarray) -> list[Scored]:
    return [Scored(tuple(row)) for row in table.astype(float).tolist()]


@dataclass(frozen=True)
class InternVideoEmbeddings(SystemOptions):
    """VLEmbed with the experiment's encoder, frozen: nothing is trained."""

    variant: Variant = "average"
    """A pair's feature in DiffMCQ: the mean of both clips', one of them, or the candidate's minus
    the reference's."""

    def open(self, opening: Opening) -> VLEmbed:
        """See `SystemOptions`; each of the clips is encoded from its frames."""
        experiment = opening.experiment
        frames = clip_visuals(opening, replace(experiment.data, visual_input="frames"))
        encoder = open_encoder(experiment)
        with ProgressLine("clips", len(frames)) as line:
            encoded = encode_clips(encoder.model, frames, progress=line.advance)
            features = [feature for _, feature in encoded]
        videos = dict(zip(opening.clips.ids, features, strict=True))
        return VLEmbed(videos, encoder.text_features, self.variant)
