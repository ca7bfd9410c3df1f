"""The text tower's tokenizer: CLIP's, which lies beside the encoder, or the language model's."""

import numpy as np
import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from stepdiff_jax.config import EncoderConfig, Experiment, TextTowerConfig, WeightsConfig
from stepdiff_jax.data.text_tokens import CLIP_TOKENIZER, open_text_tokenizer
from stepdiff_jax.errors import InputError


def clip_experiment(directory, vocabulary_size: int) -> Experiment:
    text = TextTowerConfig(vocabulary_size=vocabulary_size, context=6)
    tokenizer = "data_prep/kitchen/stand_ins/tokenizer.model"
    weights = WeightsConfig(encoder=str(directory / "encoder.safetensors"), tokenizer=tokenizer)
    return Experiment("clip", encoder=EncoderConfig(text=text), weights=weights)


def test_clips_own_tokenizer_lies_beside_the_encoder(tmp_path):
    """Small letters, byte-pair merges and `</w>` as CLIP's, with start and end last."""
    pieces = ["s", "o", "a", "k</w>", "t</w>", "so", "soa", "soak</w>", "<start>", "<end>"]
    inner = tokenizers.Tokenizer(
        models.BPE(
            {piece: number for number, piece in enumerate(pieces)},
            [("s", "o"), ("so", "a"), ("soa", "k</w>")],
            end_of_word_suffix="</w>",
        )
    )
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.decoder = decoders.BPEDecoder()
    inner.save(str(tmp_path / CLIP_TOKENIZER))
    tokenize = open_text_tokenizer(clip_experiment(tmp_path, len(pieces)))
    np.testing.assert_array_equal(
        tokenize(["soak", "soak soak soak soak soak soak", ""]),
        [[8, 7, 9, 0, 0, 0], [8, 7, 7, 7, 7, 9], [8, 9, 0, 0, 0, 0]],
    )
    with pytest.raises(InputError, match="a tokenizer of 10 tokens, but"):
        open_text_tokenizer(clip_experiment(tmp_path, 49408))


def test_a_text_tower_without_its_tokenizer_is_bad_input(tmp_path):
    with pytest.raises(InputError, match=r"tokenizer\.json: no such file: .* 49408 tokens"):
        open_text_tokenizer(clip_experiment(tmp_path, 49408))
