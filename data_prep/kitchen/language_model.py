"""The kitchen's oracle as a language model that knows the true scenes; ours.

A plug-in for the text stages: `--model.kind data_prep.kitchen.language_model:oracle
--model.options truth=WORLD/truth.jsonl`.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.kitchen import language
from data_prep.kitchen.oracle import ERROR_RATE, TrueClip, ask, read_truth
from data_prep.text.language_models.base import Completion, LanguageModelError, Prompt
from data_prep.text.language_models.options import ModelOptions


class OracleLanguageModel:
    """Describes a clip, or asks about a pair, from the true scenes; seeded by clip, not by order.

    settings: what a stage records about the model.
    """

    def __init__(
        self,
        clips: Sequence[TrueClip],
        *,
        settings: Mapping[str, Any],
        seed: int = 0,
        error_rate: float = ERROR_RATE,
    ):
        self.settings = settings
        self._scenes = {clip.clip: clip.scene for clip in clips}
        self._seed, self._error_rate = seed, error_rate

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[Completion | LanguageModelError]:
        """See `LanguageModel`; returns an error for clips that are not in the kitchen."""
        yield from map(self._answer, prompts)

    def _answer(self, prompt: Prompt) -> Completion | LanguageModelError:
        names = list(prompt.facts.values())
        unknown = [name for name in names if name not in self._scenes]
        if unknown or not names:
            return LanguageModelError(f"the kitchen has no clip {unknown}")
        digest = hashlib.sha256("\n".join(names).encode()).digest()
        rng = np.random.default_rng((self._seed, int.from_bytes(digest[:8], "big")))
        scenes = [self._scenes[name] for name in names]
        if len(scenes) == 1:
            return Completion(language.describe(scenes[0], rng))
        asked = ask(scenes[0], scenes[1], rng, 3, self._error_rate)
        return Completion(
            "\n".join(
                f"{number}. Q: {item['question']}\nA: {item['answer']}"
                for number, item in enumerate(asked, start=1)
            )
        )


def oracle(options: ModelOptions, *, truth: str) -> OracleLanguageModel:
    """The oracle of a rendered world.

    Args:
        truth: the world's truth.jsonl. Its path is not recorded, as the clip ids identify it.
    Raises:
        InputError: the file cannot be read.
    """
    settings = options.settings() | {"kind": "oracle"}
    return OracleLanguageModel(read_truth(Path(truth)), settings=settings)
