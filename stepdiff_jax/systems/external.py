"""Models of transformers as systems: VCLM (LLaVA), Interleaved (IDEFICS), and newer ones.

They need the extra [torch]; torch itself is never imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.system import ClipSource, Written
from stepdiff_jax.inference.captioners.base import spread
from stepdiff_jax.systems.external_prompts import Prompter
from stepdiff_jax.systems.language import Asked, Likelihood


@dataclass(frozen=True)
class ExternalModel:
    """A model of transformers that reads images or videos, asked one question at a time.

    clips: where frames come from; frames: how many of each clip are shown, evenly spaced.
    new_tokens: maximum per answer; weights: what results record of the model.
    """

    model: Any
    processor: Any
    prompter: Prompter
    clips: ClipSource
    frames: int
    new_tokens: int
    weights: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """See `VideoLanguageModel`."""
        shown = {"frames": self.frames, "new_tokens": self.new_tokens}
        return {"decoding": "greedy", **shown, **self.weights}

    def write(self, asked: Sequence[Asked]) -> list[Written]:
        """See `VideoLanguageModel`."""
        return [self._written(one) for one in asked]

    def likelihoods(self, asked: Sequence[Asked]) -> list[Likelihood]:
        """See `VideoLanguageModel`; from the model's own forward pass over question and answer."""
        read = lru_cache(maxsize=1)(self._read)
        return [self._likelihood(one, read) for one in asked]

    def _written(self, asked: Asked) -> Written:
        inputs = self._read(asked.clips, asked.question)
        length = inputs["input_ids"].shape[1]
        self._require_room(length + self.new_tokens, asked)
        output = self.model.generate(
            **inputs, max_new_tokens=self.new_tokens, do_sample=False, num_beams=1
        )
        new = output[0, length:].tolist()
        stops = self.model.generation_config.eos_token_id
        ends = {stops} if isinstance(stops, int) else set(stops or ())
        kept = next((place for place, token in enumerate(new) if token in ends), len(new))
        text = self.processor.decode(new[:kept], skip_special_tokens=True).strip()
        return Written(text, kept, kept == len(new), (self.prompter.text(asked),))

    def _likelihood(self, asked: Asked, read: Any) -> Likelihood:
        inputs = read(asked.clips, asked.question)
        answer = self._tokenizer.encode(asked.answer, add_special_tokens=False)
        if not answer:
            raise ValueError(f"no tokens in the answer {asked.answer!r}")
        length = inputs["input_ids"].shape[1]
        self._require_room(length + len(answer), asked)
        logits = self.model(**_continued(inputs, answer)).logits
        found = logits[0, -len(answer) - 1 : -1].float().log_softmax(-1).cpu().numpy()
        total = found[np.arange(len(answer)), answer].astype(np.float64).sum()
        return Likelihood(float(total), len(answer), self.prompter.text(asked))

    def _read(self, clips: tuple[str, ...], question: str) -> Any:
        frames = [spread(self.clips.frames(clip), self.frames) for clip in clips]
        inputs = self.prompter.inputs(Asked(clips, question), frames)
        return inputs.to(self.model.device, self.model.dtype)

    @property
    def _tokenizer(self) -> Any:
        return getattr(self.processor, "tokenizer", self.processor)

    def _require_room(self, tokens: int, asked: Asked) -> None:
        room = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if room is not None and tokens > room:
            raise InputError(
                f"a question about {len(asked.clips)} clips of --frames {self.frames} each takes "
                f"{tokens} tokens, but the model reads {room}; show fewer frames"
            )


def _continued(inputs: Any, answer: Sequence[int]) -> dict[str, Any]:
    """Inputs with an answer behind the question; what stands beside each token is continued."""
    length = inputs["input_ids"].shape[1]
    longer: dict[str, Any] = {}
    for name, value in inputs.items():
        if getattr(value, "ndim", 0) < 2 or value.shape[:2] != inputs["input_ids"].shape:
            longer[name] = value
            continue
        longer[name] = value.new_empty((1, length + len(answer), *value.shape[2:]))
        longer[name][:, :length] = value
        longer[name][:, length:] = value[:, -1:]
    longer["input_ids"][0, length:] = inputs["input_ids"].new_tensor(answer)
    return longer
