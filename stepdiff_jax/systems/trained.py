"""The experiment's own system: its language model on packed clips, with a run's weights."""

import dataclasses
from collections.abc import Collection
from pathlib import Path

from stepdiff_jax.config import Experiment
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.data.pipeline import open_visual
from stepdiff_jax.data.records import clip_ids
from stepdiff_jax.inference.encode import latent_table
from stepdiff_jax.inference.trained import trained_model
from stepdiff_jax.systems.language import LanguageSystem
from stepdiff_jax.systems.options import SystemOptions, require_clips
from stepdiff_jax.weights.build import check_features, load_tokenizer


@dataclasses.dataclass(frozen=True)
class Trained(SystemOptions):
    """VCLM, Interleaved or StepDiff: the experiment with its run's newest weights."""

    allow_other_frozen_weights: bool = False
    """Accept weights that were trained with other frozen weights."""

    def open(self, experiment: Experiment, split: str, clips: Collection[str]) -> LanguageSystem:
        """See `SystemOptions`; every clip of the split is encoded."""
        data = dataclasses.replace(experiment.data, split=split)
        ids = clip_ids(data.directory, split)
        require_clips(clips, ids, f"{data.directory}, split {split}")
        visual = open_visual(data, experiment.encoder)
        model = trained_model(
            experiment,
            Path(experiment.loop.run_directory),
            allow_other_frozen_weights=self.allow_other_frozen_weights,
        )
        if isinstance(visual, FeatureCache):
            check_features(visual, model.encoder)
        table = latent_table(model, ids, visual)
        return LanguageSystem(model, load_tokenizer(experiment), table)
