"""The system of an experiment: its language model over packed clips, with a run's weights."""

import dataclasses
from pathlib import Path

from stepdiff_jax.config import Experiment
from stepdiff_jax.data.features import FeatureCache
from stepdiff_jax.data.pipeline import open_visual
from stepdiff_jax.data.records import clip_ids
from stepdiff_jax.inference.encode import latent_table
from stepdiff_jax.inference.trained import trained_model
from stepdiff_jax.systems.language import LanguageSystem
from stepdiff_jax.weights.build import check_features, load_tokenizer


def trained_system(
    experiment: Experiment, split: str, *, allow_other_frozen_weights: bool = False
) -> LanguageSystem:
    """The model of an experiment with its run's newest weights, over the clips of one split.

    Raises:
        InputError: data or weights are missing or not those of the experiment.
    """
    data = dataclasses.replace(experiment.data, split=split)
    visual = open_visual(data, experiment.encoder)
    model = trained_model(
        experiment,
        Path(experiment.loop.run_directory),
        allow_other_frozen_weights=allow_other_frozen_weights,
    )
    if isinstance(visual, FeatureCache):
        check_features(visual, model.encoder)
    table = latent_table(model, clip_ids(data.directory, split), visual)
    return LanguageSystem(model, load_tokenizer(experiment), table)
