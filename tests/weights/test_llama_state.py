"""The name mapping of Llama checkpoints: strict, and its own inverse."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx

from references.llama import CASES, weights
from references.llama_state import from_state_dict, to_state_dict
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.llama_tensors import checkpoint_tensors
from stepdiff_jax.models.llama import Llama

CONFIG = CASES["grouped_query"]
TIED = CASES["tied"]


@pytest.mark.parametrize("config", [CONFIG, TIED])
def test_every_array_is_filled_with_its_shape_and_dtype(config):
    abstract = nnx.to_pure_dict(nnx.state(nnx.eval_shape(lambda: Llama(config, rngs=nnx.Rngs(0)))))
    filled = from_state_dict(weights(config), config)
    signature = jax.tree.map(lambda array: (array.shape, str(array.dtype)), (abstract, filled))
    assert signature[0] == signature[1]


@pytest.mark.parametrize("config", [CONFIG, TIED])
def test_there_and_back_is_the_same_checkpoint(config):
    state = weights(config)
    back = to_state_dict(from_state_dict(state, config), config)
    assert back.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(back[name], array, err_msg=name)


def test_the_real_model_has_its_291_tensors():
    assert len(checkpoint_tensors(replace(CONFIG, layers=32))) == 291  # as meta-llama/Llama-2-7b


def test_missing_unknown_and_misshapen_tensors_are_all_named():
    state = weights(CONFIG)
    del state["model.layers.1.mlp.up_proj.weight"]
    state["model.layers.2.mlp.up_proj.weight"] = np.zeros((56, 32), np.float32)
    state["model.layers.0.self_attn.k_proj.weight"] = np.zeros((32, 32), np.float32)
    with pytest.raises(InputError) as error:
        from_state_dict(state, CONFIG)
    message = str(error.value)
    assert "\n" not in message
    assert "missing model.layers.1.mlp.up_proj.weight" in message
    assert "unknown model.layers.2.mlp.up_proj.weight" in message
    assert "model.layers.0.self_attn.k_proj.weight has shape (32, 32), expected (16, 32)" in message


def test_an_untied_model_needs_its_head():
    state = weights(CONFIG)
    del state["lm_head.weight"]
    with pytest.raises(InputError, match=r"missing lm_head\.weight"):
        from_state_dict(state, CONFIG)


def test_a_tied_model_takes_a_head_only_if_it_is_the_embedding():
    state = weights(TIED)
    state["lm_head.weight"] = state["model.embed_tokens.weight"].copy()
    from_state_dict(state, TIED)
    state["lm_head.weight"][3, 4] += 1
    with pytest.raises(InputError, match=r"lm_head\.weight is not model\.embed_tokens\.weight"):
        from_state_dict(state, TIED)


def test_stored_rotary_frequencies_are_left_out():
    state = weights(CONFIG)
    state["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(4, np.float32)
    from_state_dict(state, CONFIG)
