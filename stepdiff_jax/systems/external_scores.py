"""Likelihoods of answers by a model of transformers: from its own forward pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


def answer_tokens(tokenizer: Any, prompt: str, answer: str) -> list[int]:
    """The tokens of an answer that follows a prompt, as in the text of both.

    A prompt that ends in a word, such as "Assistant:", is followed by a space; one that ends in
    white space or a special token is not (ours).
    """
    last_line = prompt[prompt.rstrip().rfind("\n") + 1 :]
    special = tuple(tokenizer.all_special_tokens)
    ends = not last_line or last_line[-1].isspace() or last_line.endswith(special)
    between = "" if ends else " "
    before = tokenizer.encode(last_line, add_special_tokens=False)
    both = tokenizer.encode(f"{last_line}{between}{answer}", add_special_tokens=False)
    if both[: len(before)] == before:
        return both[len(before) :]
    return tokenizer.encode(answer, add_special_tokens=False)


@dataclass(frozen=True)
class ReadPrompt:
    """A question that a model has read.

    of: the clips and the question; inputs: of the model.
    """

    model: Any
    of: tuple[tuple[str, ...], str]
    inputs: Any

    @property
    def length(self) -> int:
        """Tokens."""
        return self.inputs["input_ids"].shape[1]

    @cached_property
    def first(self) -> np.ndarray:
        """float32 [1, vocabulary], log-probabilities of an answer's first token."""
        return _log_probabilities(self.model(**self.inputs).logits[0, -1:])

    def continued(self, answer: Sequence[int]) -> np.ndarray:
        """float32 [answer, vocabulary], log-probabilities before each token of an answer."""
        logits = self.model(**_continued(self.inputs, answer)).logits
        return _log_probabilities(logits[0, -len(answer) - 1 : -1])


def _log_probabilities(logits: Any) -> np.ndarray:
    return logits.float().log_softmax(-1).cpu().numpy()


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
