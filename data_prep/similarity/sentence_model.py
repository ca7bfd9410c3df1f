"""Similarity by a sentence-embedding model from transformers; needs the extra [torch].

torch is never imported here. Mean-pools the last hidden states, as Sentence-BERT does
(arXiv 1908.10084).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stepdiff_jax.errors import InputError

BATCH = 64
LONGEST = 512
"""Maximum tokens per text, if the model does not specify it."""


class SentenceModel:
    """A transformers encoder (BERT, MiniLM, MPNet, ...) with its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any):
        # Disables gradients without importing torch for torch.no_grad.
        self._model = model.eval().requires_grad_(False)
        self._tokenizer = tokenizer
        most = getattr(model.config, "max_position_embeddings", None) or LONGEST
        self._longest = min(most, tokenizer.model_max_length)

    @classmethod
    def load(cls, path: str | Path) -> "SentenceModel":
        """Load from a directory or a name that transformers knows.

        Raises:
            InputError: transformers cannot load the model.
        """
        try:
            from transformers import AutoModel, AutoTokenizer

            return cls(AutoModel.from_pretrained(path), AutoTokenizer.from_pretrained(path))
        except (ImportError, OSError, ValueError) as error:
            wrong = " ".join(str(error).split())
            raise InputError(f"{path}: cannot be loaded: {wrong}") from error

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """See `Embed`."""
        # Batched by length to reduce padding; results keep the order of the texts.
        order = np.argsort([len(text) for text in texts], kind="stable")
        vectors = np.zeros((len(texts), self._model.config.hidden_size), np.float32)
        for start in range(0, len(order), BATCH):
            indices = order[start : start + BATCH]
            vectors[indices] = self._embedded([texts[index] for index in indices])
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def _embedded(self, texts: Sequence[str]) -> np.ndarray:
        inputs = self._tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self._longest,
            return_tensors="pt",
        ).to(self._model.device)
        hidden = self._model(**inputs).last_hidden_state.float().cpu().numpy()
        mask = inputs["attention_mask"].cpu().numpy()[..., None]
        return (hidden * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
