"""Systems of ours: the experiment's language model on packed clips, with a run's weights.

VCLM, Interleaved and StepDiff are one model; they differ in what its resampler was trained on.
"""

import dataclasses
from pathlib import Path

from stepdiff_jax.config import CHECKPOINTS, Experiment
from stepdiff_jax.config_files import read_experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.system import Opening
from stepdiff_jax.inference.encode import latent_table
from stepdiff_jax.inference.trained import trained_model
from stepdiff_jax.progress import ProgressLine
from stepdiff_jax.systems.clip_visuals import clip_visuals
from stepdiff_jax.systems.language import LanguageSystem
from stepdiff_jax.systems.own_model import OwnModel
from stepdiff_jax.systems.writing import Writing
from stepdiff_jax.weights.build import load_tokenizer

PAIRS = "pairs"
"""Name of the records that StepDiff is trained on (PairQA)."""


@dataclasses.dataclass(frozen=True)
class Trained(Writing):
    """The experiment with its run's newest weights, whatever it was trained on."""

    allow_other_frozen_weights: bool = False
    """Accept weights that were trained with other frozen weights."""
    run: Path | None = None
    """Run directory with the trained weights; by default the experiment's own."""

    def reads(self, experiment: Experiment) -> tuple[Path, ...]:
        """See `SystemOptions`."""
        return (*super().reads(experiment), self._directory(experiment) / CHECKPOINTS)

    def _directory(self, experiment: Experiment) -> Path:
        return self.run or Path(experiment.loop.run_directory)

    def _require_trained_on(self, opening: Opening, source: str, without: str = "") -> None:
        """Raise InputError unless the run was trained on a source, and not on another."""
        run = self._directory(opening.experiment)
        sources = [one.name for one in read_experiment(run).data.sources]
        if source not in sources or without in sources:
            but = f" and not on {without!r}" if without else ""
            raise InputError(
                f"{run}: was trained on {', '.join(sources)}; --run must be a run on "
                f"{source!r}{but}"
            )

    def open(self, opening: Opening) -> LanguageSystem:
        """See `SystemOptions`; each of the clips is encoded once."""
        experiment = opening.experiment
        visual = clip_visuals(opening, experiment.data)
        tokenizer = load_tokenizer(experiment)
        model = trained_model(
            experiment,
            self._directory(experiment),
            experiment.mesh,
            caches=visual.caches,
            allow_other_frozen_weights=self.allow_other_frozen_weights,
        )
        with ProgressLine("clips", len(visual)) as line:
            table = latent_table(model, opening.clips.ids, visual, progress=line.advance)
        return LanguageSystem(OwnModel(model, tokenizer, table, self.decoding))


@dataclasses.dataclass(frozen=True)
class StepDiff(Trained):
    """StepDiff: the experiment's model, trained on pairs of videos."""

    def open(self, opening: Opening) -> LanguageSystem:
        """See `SystemOptions`."""
        self._require_trained_on(opening, PAIRS)
        return super().open(opening)


@dataclasses.dataclass(frozen=True)
class SingleVideos(Trained):
    """VCLM (AnyMAL): the experiment's model, trained on single videos and not on pairs."""

    def open(self, opening: Opening) -> LanguageSystem:
        """See `SystemOptions`."""
        self._require_trained_on(opening, "single", without=PAIRS)
        return super().open(opening)


@dataclasses.dataclass(frozen=True)
class Interleaved(Trained):
    """Interleaved (AnyMAL): the experiment's model, trained on narrated sequences, not on pairs."""

    def open(self, opening: Opening) -> LanguageSystem:
        """See `SystemOptions`."""
        self._require_trained_on(opening, "sequences", without=PAIRS)
        return super().open(opening)
