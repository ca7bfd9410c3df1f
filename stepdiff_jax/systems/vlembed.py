"""VLEmbed: videos and texts in one embedding space (paper, section 4, baselines)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stepdiff_jax.config import Experiment
from stepdiff_jax.data.records import clip_ids, open_records
from stepdiff_jax.data.visual import ClipFrames
from stepdiff_jax.evaluation.benchmark_files import DiffCap, DiffMCQ, DiffRank
from stepdiff_jax.inference.encode import encode_clips, unit_length
from stepdiff_jax.inference.encoder import open_encoder
from stepdiff_jax.systems.options import SystemOptions, require_clips


@dataclass(frozen=True)
class VLEmbed:
    """Cosine similarities of InternVideo's or CLIP's features.

    videos: clip id -> feature [D]; texts: maps N texts to features [N, D]; any scale.
    """

    videos: Mapping[str, np.ndarray]
    texts: Callable[[Sequence[str]], np.ndarray]

    def caption(self, instances: Sequence[DiffCap]) -> None:
        """None: embeddings cannot generate text (the dashes in Table 1)."""

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


@dataclass(frozen=True)
class InternVideoEmbeddings(SystemOptions):
    """VLEmbed with the experiment's encoder, frozen: nothing is trained."""

    def open(self, experiment: Experiment, split: str, clips: Collection[str]) -> VLEmbed:
        """See `SystemOptions`; every clip of the split is encoded from its frames."""
        directory = experiment.data.directory
        ids = clip_ids(directory, split)
        require_clips(clips, ids, f"{directory}, split {split}")
        encoder = open_encoder(experiment)
        frames = ClipFrames(open_records(directory, "clips", split), encoder.config)
        features = [feature for _, feature in encode_clips(encoder.model, frames)]
        return VLEmbed(dict(zip(ids, features, strict=True)), encoder.text_features)
