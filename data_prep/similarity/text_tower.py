"""The text tower of an experiment's encoder, with the tokenizer that goes with it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tokenizers

from stepdiff_jax.config import Experiment, TextTowerConfig
from stepdiff_jax.config_files import load_experiment
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.trained import inference_mesh
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.weights.modules import load_encoder

Tokenize = Callable[[Sequence[str]], np.ndarray]
"""From N texts to ids int32 [N, context]; the end token has the largest id of all."""

CLIP_TOKENIZER = "tokenizer.json"


class Encoder(NamedTuple):
    """A frozen encoder and what its text tower reads."""

    experiment: Experiment
    model: InternVideo
    tokenize: Tokenize


def open_encoder(config: str) -> Encoder:
    """The encoder of a CONFIG, over all devices.

    Raises:
        InputError: the CONFIG is unknown, or its encoder or text tokenizer cannot be read.
    """
    experiment = load_experiment(config)
    tokenize = open_text_tokenizer(experiment)
    mesh = inference_mesh(experiment.mesh)
    model = load_encoder(experiment.encoder, experiment.weights.encoder, mesh)
    return Encoder(experiment, model, tokenize)


def open_text_tokenizer(experiment: Experiment) -> Tokenize:
    """CLIP's tokenizer.json that lies beside the encoder, or the language model's own tokenizer.

    The latter (the kitchen's case) is taken where the text tower has two tokens more, start and
    end.

    Raises:
        InputError: neither is there, or it has another number of tokens than the text tower.
    """
    encoder, text = Path(experiment.weights.encoder), experiment.encoder.text
    path = (encoder if encoder.is_dir() else encoder.parent) / CLIP_TOKENIZER
    if path.exists():
        return _clip_tokenizer(path, text)
    own = Tokenizer(experiment.weights.tokenizer, experiment.llama.family)
    if own.vocabulary_size + 2 != text.vocabulary_size:
        raise InputError(
            f"{path}: no such file: the tokenizer of the text tower's {text.vocabulary_size} "
            "tokens (CLIP's tokenizer.json) must lie beside the encoder"
        )
    return lambda texts: text_ids([own.encode(one) for one in texts], text)


def text_ids(texts: Sequence[Sequence[int]], config: TextTowerConfig) -> np.ndarray:
    """int32 [N, context] for the text tower: start, a text's ids, end, zeros.

    As in CLIP, the end token has the largest id of all. Texts are cut to the context.
    """
    start, end = config.vocabulary_size - 2, config.vocabulary_size - 1
    ids = np.zeros((len(texts), config.context), np.int32)
    for row, text in zip(ids, texts):
        tokens = [start, *text[: config.context - 2], end]
        row[: len(tokens)] = tokens
    return ids


def _clip_tokenizer(path: Path, config: TextTowerConfig) -> Tokenize:
    try:
        model = tokenizers.Tokenizer.from_file(str(path))
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
