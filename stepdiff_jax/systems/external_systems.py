"""The systems of Table 1 that are other people's models, and any newer one by name."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.system import Opening
from stepdiff_jax.systems.external import ExternalModel
from stepdiff_jax.systems.external_options import DType, ExternalWeights
from stepdiff_jax.systems.external_prompts import (
    IdeficsPrompter,
    LlavaPrompter,
    Prompter,
    chat_prompter,
)
from stepdiff_jax.systems.language import LanguageSystem
from stepdiff_jax.systems.options import SystemOptions


@dataclass(frozen=True)
class External(SystemOptions, abc.ABC):
    """A model of transformers."""

    weights: str
    """A directory, or a name on the hub."""
    revision: str = ""
    """Commit or tag of a name on the hub, so that results can be repeated."""
    dtype: DType = "auto"
    device: str = "cpu"
    """As torch names it: cpu, cuda, cuda:1."""
    frames: int = 4
    """Frames shown of each clip, evenly spaced (ours)."""
    new_tokens: int = 64
    """Maximum per answer."""

    save_every = 16
    name: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ()
    """Model types that it can be; empty: any of images and text."""

    @abc.abstractmethod
    def prompter(self, processor: Any) -> Prompter:
        """How the model is shown clips."""

    def open(self, opening: Opening) -> LanguageSystem:
        """See `SystemOptions`."""
        for field in ("frames", "new_tokens"):
            if getattr(self, field) < 1:
                flag = field.replace("_", "-")
                raise InputError(f"--{flag} must be positive, got {getattr(self, field)}")
        require_one_process(f"--system {self.name}")
        weights = ExternalWeights(self.weights, self.revision, self.dtype, self.device)
        weights.check(self.kinds, self.name)
        for clip in opening.clips.ids[:1]:
            opening.clips.frames(clip)  # so that missing clips are found before slow work
        processor = weights.load_processor()
        prompter = self.prompter(processor)
        model = weights.load_model()
        asked = ExternalModel(
            model,
            processor,
            prompter,
            opening.clips,
            self.frames,
            self.new_tokens,
            weights.to_json(model),
        )
        return LanguageSystem(asked)


@dataclass(frozen=True)
class Llava(External):
    """VCLM (LLaVA): LLaVA-1.5 with the frames of both videos in its prompt."""

    name = "vclm_llava"
    kinds = ("llava",)

    def prompter(self, processor: Any) -> Prompter:
        """See `External`."""
        return LlavaPrompter(processor)


@dataclass(frozen=True)
class Idefics(External):
    """Interleaved (IDEFICS): frames among the text."""

    name = "interleaved_idefics"
    kinds = ("idefics",)

    def prompter(self, processor: Any) -> Prompter:
        """See `External`."""
        return IdeficsPrompter(processor)


@dataclass(frozen=True)
class MultiVideo(External):
    """Any model of transformers with a chat template: Qwen-VL, InternVL, SmolVLM2 (ours)."""

    name = "multi_video"

    def prompter(self, processor: Any) -> Prompter:
        """See `External`."""
        return chat_prompter(processor, self.weights)


def require_one_process(what: str, count: Callable[[], int] = jax.process_count) -> None:
    """Raise InputError if there are several processes, which this system could not share."""
    if count() > 1:
        raise InputError(f"{what} runs in one process, but there are {count()}")
