"""A blind language model: its captions show how far the question alone leads.

The options of DiffMCQ and the targets of DiffRank all read the same to it, so there it is chance.
"""

from dataclasses import dataclass

from stepdiff_jax.evaluation.system import Opening
from stepdiff_jax.inference.clips import DescriptionTable
from stepdiff_jax.inference.trained import untrained_model
from stepdiff_jax.systems.language import LanguageSystem
from stepdiff_jax.systems.own_model import OwnModel
from stepdiff_jax.systems.writing import Writing
from stepdiff_jax.weights.build import load_tokenizer

UNSEEN = "(not shown)"
"""Fills the slot of every clip (ours)."""


@dataclass(frozen=True)
class Blind(Writing):
    """The experiment's language model, which sees no clip; not in the paper (ours)."""

    @property
    def sees_clips(self) -> bool:
        """See `SystemOptions`."""
        return False

    def open(self, opening: Opening) -> LanguageSystem:
        """See `SystemOptions`; neither clips nor data are read."""
        tokenizer = load_tokenizer(opening.experiment)
        model = untrained_model(opening.experiment, opening.experiment.mesh)
        table = DescriptionTable(dict.fromkeys(opening.clips.ids, UNSEEN))
        return LanguageSystem(OwnModel(model, tokenizer, table, self.decoding))
