"""Socratic models: a language model reads descriptions instead of videos (section 4)."""

from dataclasses import dataclass
from pathlib import Path

from stepdiff_jax.data.find_clips import require_clips
from stepdiff_jax.evaluation.system import Opening
from stepdiff_jax.inference.clips import DescriptionTable
from stepdiff_jax.inference.trained import untrained_model
from stepdiff_jax.jsonl import read_jsonl
from stepdiff_jax.systems.language import LanguageSystem
from stepdiff_jax.systems.options import SystemOptions
from stepdiff_jax.systems.own_model import OwnModel
from stepdiff_jax.weights.build import load_tokenizer


@dataclass(frozen=True)
class Socratic(SystemOptions):
    """The experiment's language model reading descriptions; no video is read."""

    descriptions: Path
    """JSON Lines of clip and description, as `stepdiff prep describe` writes them."""

    sees_clips = False

    def open(self, opening: Opening) -> LanguageSystem:
        """See `SystemOptions`."""
        descriptions = read_descriptions(self.descriptions)
        require_clips(opening.clips.ids, descriptions, str(self.descriptions))
        tokenizer = load_tokenizer(opening.experiment)
        model = untrained_model(opening.experiment, opening.experiment.mesh)
        return LanguageSystem(OwnModel(model, tokenizer, DescriptionTable(descriptions)))


def read_descriptions(path: Path) -> dict[str, str]:
    """Clip id -> description.

    Raises:
        InputError: the file cannot be read, a line lacks a field, or a clip is repeated.
    """
    descriptions: dict[str, str] = {}
    for line in read_jsonl(path):
        clip = line.string("clip")
        if clip in descriptions:
            line.fail("clip", "is repeated", clip)
        descriptions[clip] = line.string("description")
    return descriptions
