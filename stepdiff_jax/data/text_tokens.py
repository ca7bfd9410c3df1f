"""Token ids for the encoder's text tower, from CLIP's tokenizer or the language model's."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tokenizers

from stepdiff_jax.config import Experiment, TextTowerConfig
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError

Tokenize = Callable[[Sequence[str]], np.ndarray]
"""Maps N texts to ids int32 [N, context]; the end token has the largest id."""

CLIP_TOKENIZER = "tokenizer.json"


def open_text_tokenizer(experiment: Experiment) -> Tokenize:
    """Open CLIP's tokenizer.json beside the encoder, or else the language model's tokenizer.

    The latter (as in the kitchen) requires a text tower with two more tokens, start and end.

    Raises:
        InputError: neither is usable, or its vocabulary size is not the text tower's.
    """
    encoder, text = Path(experiment.weights.encoder), experiment.encoder.text
    path = (encoder if encoder.is_dir() else encoder.parent) / CLIP_TOKENIZER
    if path.exists():
        return _clip_tokenizer(path, text)
    own = Tokenizer(experiment.weights.tokenizer, experiment.llama.family)
    if own.vocabulary_size + 2 != text.vocabulary_size:
        raise InputError(
            f"{path}: no such file: CLIP's tokenizer of the text tower's {text.vocabulary_size} "
            "tokens must be beside the encoder"
        )
    return lambda texts: text_ids([own.encode(one) for one in texts], text)


def text_ids(texts: Sequence[Sequence[int]], config: TextTowerConfig) -> np.ndarray:
    """int32 [N, context] for the text tower: start, a text's ids, end, zeros.

    As in CLIP, the end token has the largest id. Texts are truncated to the context.
    """
    start, end = config.vocabulary_size - 2, config.vocabulary_size - 1
    ids = np.zeros((len(texts), config.context), np.int32)
    for row, text in zip(ids, texts):
        tokens = [start, *text[: config.context - 2], end]
        row[: len(tokens)] = tokens
    return ids


def _clip_tokenizer(path: Path, config: TextTowerConfig) -> Tokenize:
    try:
        model = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises nothing more specific
        raise InputError(f"{path}: not a tokenizer.json: {error}") from error
    if model.get_vocab_size() != config.vocabulary_size:
        raise InputError(
            f"{path}: a tokenizer of {model.get_vocab_size()} tokens, but "
            f"encoder.text.vocabulary_size is {config.vocabulary_size}"
        )
    return lambda texts: text_ids(
        [model.encode(one, add_special_tokens=False).ids for one in texts], config
    )
