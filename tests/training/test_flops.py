"""Counted FLOPs against weights that are there, and against XLA's own count."""

import dataclasses

import jax
import pytest

import configs.stepdiff
from stepdiff_jax.config import LoraConfig
from stepdiff_jax.families.llama2 import LLAMA_2_7B, LLAMA_2_70B
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.training.flops import encoder_flops, layer_weights, step_flops

EXPERIMENT = configs.stepdiff.experiment()


@pytest.mark.parametrize("llama", [LLAMA_2_7B, LLAMA_2_70B])
def test_matrices_of_a_layer_are_all_counted(llama):
    model = abstract_model(dataclasses.replace(EXPERIMENT, llama=llama))
    leaves = jax.tree.leaves(model.llama.blocks)
    stacked = sum(leaf.size for leaf in leaves if leaf.ndim == 3)
    assert stacked == llama.layers * layer_weights(llama)


def test_language_model_is_four_n_a_token_beside_attention_and_head():
    flops = step_flops(EXPERIMENT)
    tokens = EXPERIMENT.data.batch_rows * EXPERIMENT.data.row_length
    four_n = 4 * LLAMA_2_7B.layers * layer_weights(LLAMA_2_7B) * tokens
    assert 1.0 < flops.language_model / four_n < 1.1
    assert 0.9 < 2 * flops.rematerialisation / four_n < 1.1


def test_encoder_agrees_with_the_compiler():
    # Without stacked layers to loop over, XLA's count is the whole: one layer.
    config = dataclasses.replace(
        EXPERIMENT.encoder, layers=1, uniblock_layers=(), image_size=56, frames=2
    )
    model = abstract_model(dataclasses.replace(EXPERIMENT, encoder=config)).encoder
    video = jax.ShapeDtypeStruct((1, 2, 56, 56, 3), "float32")
    cost = jax.jit(lambda model, video: model.tokens(video)).lower(model, video).cost_analysis()
    assert cost is not None
    assert encoder_flops(config) == pytest.approx(cost["flops"], rel=0.1)


def test_features_cost_no_encoder():
    data = dataclasses.replace(EXPERIMENT.data, visual_input="features")
    assert step_flops(dataclasses.replace(EXPERIMENT, data=data)).encoder == 0


def test_trained_weights_of_the_language_model_cost_their_gradients():
    data, llama = EXPERIMENT.data, EXPERIMENT.llama
    tokens, width = data.batch_rows * data.row_length, llama.width
    frozen = step_flops(EXPERIMENT).language_model
    last = dataclasses.replace(EXPERIMENT, trainable=("resampler", "llama.blocks[-2:]"))
    added = step_flops(last).language_model - frozen
    assert added == pytest.approx(2 * tokens * 2 * layer_weights(llama))
    lora = dataclasses.replace(
        EXPERIMENT,
        trainable=("resampler", "llama.*lora*"),
        llama=dataclasses.replace(llama, lora=LoraConfig(rank=8)),
    )
    added = step_flops(lora).language_model - frozen
    # Queries and values are square in the 7B.
    assert added == pytest.approx(6 * tokens * llama.layers * 2 * 8 * 2 * width)
