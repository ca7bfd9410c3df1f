"""The experiment's own system: its language model on packed clips, with a run's weights."""

import dataclasses
from pathlib import Path

from stepdiff_jax.checkpoint import CHECKPOINTS
from stepdiff_jax.config import Experiment
from stepdiff_jax.evaluation.system import Opening
from stepdiff_jax.inference.encode import latent_table
from stepdiff_jax.inference.trained import trained_model
from stepdiff_jax.systems.clip_visuals import clip_visuals
from stepdiff_jax.systems.language import LanguageSystem
from stepdiff_jax.systems.options import SystemOptions
from stepdiff_jax.systems.own_model import OwnModel
from stepdiff_jax.weights.build import load_tokenizer


@dataclasses.dataclass(frozen=True)
class Trained(SystemOptions):
    """VCLM, Interleaved or StepDiff: the experiment with its run's newest weights."""

    allow_other_frozen_weights: bool = False
    """Accept weights that were trained with other frozen weights."""

    def reads(self, experiment: Experiment) -> tuple[Path, ...]:
        """See `SystemOptions`."""
        return (*super().reads(experiment), Path(experiment.loop.run_directory) / CHECKPOINTS)

    def open(self, opening: Opening) -> LanguageSystem:
        """See `SystemOptions`; each of the clips is encoded once."""
        experiment = opening.experiment
        visual = clip_visuals(opening, experiment.data)
        tokenizer = load_tokenizer(experiment)
        model = trained_model(
            experiment,
            Path(experiment.loop.run_directory),
            experiment.mesh,
            caches=visual.caches,
            allow_other_frozen_weights=self.allow_other_frozen_weights,
        )
        table = latent_table(model, opening.clips.ids, visual)
        return LanguageSystem(OwnModel(model, tokenizer, table))
