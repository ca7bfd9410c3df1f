"""Models of transformers as systems: VCLM (LLaVA), Interleaved (IDEFICS), and newer ones.

They need the extra [torch]; torch itself is never imported here.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.system import ClipSource, Written
from stepdiff_jax.inference.captioners.base import spread
from stepdiff_jax.systems.external_prompts import Prompter, Shown
from stepdiff_jax.systems.external_scores import ReadPrompt, answer_tokens
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
        limits = {"frames": self.frames, "new_tokens": self.new_tokens}
        return {"decoding": "greedy", **limits, **self.weights}

    def write(self, asked: Sequence[Asked]) -> list[Written]:
        """See `VideoLanguageModel`."""
        return [self._written(one) for one in asked]

    def likelihoods(self, asked: Sequence[Asked]) -> list[Likelihood]:
        """See `VideoLanguageModel`; from the model's own forward pass over question and answer.

        A question's answers that follow each other share its inputs, and the first token's
        distribution if they have no other.
        """
        prompt: ReadPrompt | None = None
        found = []
        for one in asked:
            if prompt is None or prompt.of != (one.clips, one.question):
                prompt = ReadPrompt(self.model, (one.clips, one.question), self._read(one))
            found.append(self._likelihood(one, prompt))
        return found

    def _written(self, asked: Asked) -> Written:
        inputs = self._read(asked)
        length = inputs["input_ids"].shape[1]
        self._require_room(length + self.new_tokens, asked)
        with self._one_line():
            output = self.model.generate(
                **inputs, max_new_tokens=self.new_tokens, do_sample=False, num_beams=1
            )
        new = output[0, length:].tolist()
        stops = self.model.generation_config.eos_token_id
        ends = {stops} if isinstance(stops, int) else set(stops or ())
        kept = next((place for place, token in enumerate(new) if token in ends), len(new))
        text = self.processor.decode(new[:kept], skip_special_tokens=True).strip()
        return Written(text, kept, kept == len(new), (self.prompter.text(asked),))

    def _likelihood(self, asked: Asked, prompt: ReadPrompt) -> Likelihood:
        written = self.prompter.text(asked)
        answer = answer_tokens(self._tokenizer, written, asked.answer)
        if not answer:
            raise InputError(f"the answer {asked.answer!r} has no tokens")
        self._require_room(prompt.length + len(answer), asked)
        with self._one_line():
            found = prompt.first if len(answer) == 1 else prompt.continued(answer)
        total = found[np.arange(len(answer)), answer].astype(np.float64).sum()
        return Likelihood(float(total), len(answer), written)

    def _read(self, asked: Asked) -> Any:
        shown = [self._shown(clip) for clip in asked.clips]
        inputs = self.prompter.inputs(asked, shown)
        return inputs.to(self.model.device, self.model.dtype)

    @cached_property
    def _shown(self) -> Callable[[str], Shown]:
        """Reads a clip; an instance's questions show the same few."""
        return lru_cache(maxsize=16)(self._decoded)

    def _decoded(self, clip: str) -> Shown:
        frames, times = self.clips.frames(clip), self.clips.facts(clip)["times"]
        return Shown(
            spread(frames, self.frames), [float(one) for one in spread(times, self.frames)]
        )

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

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        """Raise InputError if the device's memory does not suffice."""
        try:
            yield
        except RuntimeError as error:
            if type(error).__name__ != "OutOfMemoryError":
                raise
            raise InputError(
                f"--device {self.model.device}: its memory does not suffice; show fewer --frames, "
                "or try --dtype bfloat16"
            ) from error
