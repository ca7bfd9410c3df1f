"""Socratic models: a language model reads descriptions instead of videos (section 4)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepdiff_jax.data.find_clips import require_clips
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.identity import listing_digest
from stepdiff_jax.evaluation.system import Opening
from stepdiff_jax.inference.captioners.base import Captioner
from stepdiff_jax.inference.captioners.external import TransformersCaptioner
from stepdiff_jax.inference.captioners.own import OwnCaptioner
from stepdiff_jax.inference.clips import DescriptionTable
from stepdiff_jax.inference.trained import untrained_model
from stepdiff_jax.jsonl import read_jsonl
from stepdiff_jax.systems.external_options import DType, ExternalWeights
from stepdiff_jax.systems.external_systems import require_one_process
from stepdiff_jax.systems.language import LanguageSystem
from stepdiff_jax.systems.own_model import OwnModel
from stepdiff_jax.systems.socratic_captions import caption_clips, captions_path, described
from stepdiff_jax.systems.writing import Writing
from stepdiff_jax.weights.build import load_tokenizer

CAPTIONERS = ("blip-2", "llava", "llava_next", "qwen2_vl", "qwen2_5_vl", "smolvlm", "internvl")
"""Model types that caption single frames."""


@dataclass(frozen=True)
class Socratic(Writing):
    """The experiment's language model, reading a description in the place of each video.

    Descriptions come from one of --descriptions, --captioner-run and --captioner. Captions are kept
    beside the predictions, and made once.
    """

    descriptions: Path | None = None
    """JSON Lines of clip and description, as `stepdiff prep describe` writes them."""
    captioner_run: Path | None = None
    """Run directory of our model on single videos, which captions the clips."""
    captioner: str = ""
    """BLIP-2, LLaVA or another model of transformers, which captions frames of the clips: a
    directory, or a name on the hub."""
    revision: str = ""
    """Commit or tag of a --captioner on the hub, so that results can be repeated."""
    captioner_frames: int = 2
    """Frames of a clip that --captioner sees, evenly spaced (ours)."""
    dtype: DType = "auto"
    """Of --captioner."""
    device: str = "cpu"
    """Of --captioner, as torch names it: cpu, cuda, cuda:1."""

    @property
    def sees_clips(self) -> bool:
        """See `SystemOptions`."""
        return self.descriptions is None

    def open(self, opening: Opening) -> LanguageSystem:
        """See `SystemOptions`."""
        self._require_one_source()
        if self.descriptions is not None:
            descriptions = described(read_jsonl(self.descriptions))
            require_clips(opening.clips.ids, descriptions, str(self.descriptions))
        else:
            descriptions = self._captions(opening)
        tokenizer = load_tokenizer(opening.experiment)
        model = untrained_model(opening.experiment, opening.experiment.mesh)
        return LanguageSystem(
            OwnModel(model, tokenizer, DescriptionTable(descriptions), self.decoding)
        )

    def _require_one_source(self) -> None:
        given = {
            "--descriptions": self.descriptions,
            "--captioner-run": self.captioner_run,
            "--captioner": self.captioner,
        }
        chosen = [flag for flag, value in given.items() if value]
        if len(chosen) != 1:
            problem = f"got {' and '.join(chosen)}" if chosen else "none is given"
            raise InputError(f"--system socratic needs one of {', '.join(given)}: {problem}")
        if self.revision and not self.captioner:
            raise InputError(f"--revision {self.revision} is of --captioner, which is not given")
        if self.captioner_frames < 1:
            raise InputError(f"--captioner-frames must be positive, got {self.captioner_frames}")

    def _captions(self, opening: Opening) -> dict[str, str]:
        require_one_process("captioning")
        for clip in opening.clips.ids[:1]:
            opening.clips.frames(clip)  # so that missing clips are found before slow work
        directory = opening.directory
        assert directory is not None
        return caption_clips(
            captions_path(directory, self._captioner_identity()),
            opening.clips,
            self._open_captioner(),
        )

    def _captioner_identity(self) -> list[Any]:
        source = self.captioner_run or Path(self.captioner)
        frames = self.captioner_frames if self.captioner else None
        return [str(source), self.revision, self.dtype, frames, listing_digest(source)]

    def _open_captioner(self) -> Captioner:
        if self.captioner_run is not None:
            return OwnCaptioner.load(self.captioner_run)
        weights = ExternalWeights(
            self.captioner, self.revision, self.dtype, self.device, flag="--captioner"
        )
        weights.check(CAPTIONERS, "socratic")
        model, processor = weights.load()
        return TransformersCaptioner(model, processor, frames=self.captioner_frames)
