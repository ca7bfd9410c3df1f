"""Reading checkpoints: every tensor of the published models has its place, and none is skipped."""

from itertools import chain

import jax
import numpy as np
import pytest
from flax import nnx

from references.internvideo import HEADS, published_shapes, state_dict
from references.internvideo_state import from_state_dict
from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.weights.published.internvideo_config import (
    config_from_state_dict,
    naming_of,
)
from stepdiff_jax.weights.published.internvideo_names import source_table


def as_list(source):
    return source if isinstance(source, list) else [source]


def blank(shape):
    """Zeros that take one byte of memory."""
    return np.broadcast_to(np.zeros((), np.int8), shape)


@pytest.mark.parametrize(
    ("name", "uniblock_layers"), [("iv_l14_keys", (20, 21, 22, 23)), ("hf_clip_l14_keys", ())]
)
def test_l14_is_covered_both_ways(name, uniblock_layers):
    shapes = published_shapes(name)
    state = {key: blank(shape) for key, shape in shapes.items()}
    config = config_from_state_dict(state)
    assert config == EncoderConfig(uniblock_layers=uniblock_layers)

    table = source_table(config, naming_of(state))
    expected = {s.key: s.shape for s in chain.from_iterable(map(as_list, table.values()))}
    assert expected == {key: s for key, s in shapes.items() if key != "text_mask_embedding"}

    model = nnx.eval_shape(lambda: InternVideo(config, rngs=nnx.Rngs(0)))
    ours = {path: variable.shape for path, variable in nnx.to_flat_state(nnx.state(model))}
    converted = {}
    for path, source in table.items():
        layers = as_list(source)
        shape = layers[0].convert(state[layers[0].key]).shape
        converted[path] = (len(layers), *shape) if isinstance(source, list) else shape
    assert converted == ours


def test_frames_are_resized_in_proportion():
    config = config_from_state_dict(state_dict("iv_small"), **HEADS)
    assert (config.resized_side, config.image_size) == (32, 28)  # as in prep_small.npz


def test_arrays_have_the_dtype_of_the_config():
    config = config_from_state_dict(state_dict("iv_small"), **HEADS)
    arrays = from_state_dict(state_dict("iv_small"), config)
    assert arrays.pop("logit_scale").dtype == np.float32
    assert {leaf.dtype.name for leaf in jax.tree.leaves(arrays)} == {"bfloat16"}


def test_a_checkpoint_of_another_model():
    state = state_dict("iv_small")
    key = next(key for key in state if "ln_1.bias" in key)
    with pytest.raises(InputError, match="not an InternVideo or CLIP checkpoint"):
        config_from_state_dict({key: state[key]})
