"""Captioners of transformers; need the extra [torch], but never import torch.

The prompts and the choice of frames are ours.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stepdiff_jax.inference.captioners.base import Captions, Clip

ACTION_PROMPT = "What is the person doing?"
OBJECT_PROMPT = "List the objects in this picture with their colours and materials."


class TransformersCaptioner:
    """BLIP-2, LLaVA, Qwen-VL or any other image-text-to-text model, asked about single frames."""

    def __init__(self, model: Any, processor: Any, *, frames: int = 2, new_tokens: int = 40):
        """Args: frames: number of frames used, evenly spaced; new_tokens: maximum per answer."""
        self._model = model.eval()
        self._processor, self._frames, self._new_tokens = processor, frames, new_tokens

    @classmethod
    def load(cls, path: str | Path, *, frames: int = 2) -> "TransformersCaptioner":
        """Load from a directory or a name that transformers knows."""
        from transformers import AutoModelForImageTextToText, AutoProcessor

        model = AutoModelForImageTextToText.from_pretrained(path, dtype="auto")
        return cls(model, AutoProcessor.from_pretrained(path), frames=frames)

    def caption(self, clip: Clip) -> Captions:
        """See `Captioner`; answers are deduplicated, and objects are split at commas."""
        frames = clip.some(self._frames)
        actions = [self._answer(frame, ACTION_PROMPT) for frame in frames]
        listed = [self._answer(frame, OBJECT_PROMPT) for frame in frames]
        objects = [phrase.strip(" .") for text in listed for phrase in text.split(",")]
        return Captions(_distinct(actions), _distinct(objects))

    def _answer(self, frame: np.ndarray, prompt: str) -> str:
        inputs = self._processor(images=[frame], text=self._text(prompt), return_tensors="pt")
        tokens = self._model.generate(
            **inputs.to(self._model.device), max_new_tokens=self._new_tokens, do_sample=False
        )
        new = tokens[0, inputs["input_ids"].shape[1] :]
        return self._processor.decode(new, skip_special_tokens=True).strip()

    def _text(self, prompt: str) -> str:
        """The prompt in the model's chat template, or BLIP-2's format if it has none."""
        if not getattr(self._processor, "chat_template", None):
            return f"Question: {prompt} Answer:"
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        turns = [{"role": "user", "content": content}]
        return self._processor.apply_chat_template(turns, add_generation_prompt=True)


def _distinct(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
