"""The name mapping of Llama checkpoints: strict, and its own inverse."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import nnx

from references.llama import CASES, weights
from references.llama_state import from_state_dict, to_state_dict
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
