"""Patterns of what is trained: what they match, and what is refused."""

from types import SimpleNamespace

import jax.numpy as jnp
import pytest

from stepdiff_jax.errors import InputError
from stepdiff_jax.trainable import check_trainable, is_trained, last_layers

PATHS = (
    "encoder.video.lower.ln_1.scale",
    "llama.blocks.lora.query.a",
    "llama.blocks.query",
    "llama.embedding",
    "llama.last_blocks.lora.query.a",
    "llama.last_blocks.query",
    "llama.last_blocks.value",
    "resampler.head",
    "resampler.layers.0.query",
    "resampler.layers.1.query",
)


@pytest.mark.parametrize(
    "pattern, matched",
    [
        ("resampler", (7, 8, 9)),
        ("resampler.layers.1", (9,)),
        ("resampler.*.query", (8, 9)),
        ("llama.blocks", (1, 2)),
        ("llama.blocks[-2:]", (4, 5, 6)),
        ("llama.blocks[-2:].query", (5,)),
        ("llama.*lora*", (1, 4)),
        ("llama.emb", ()),
        ("*", tuple(range(10))),
    ],
)
def test_a_pattern_is_the_beginning_of_a_path_up_to_a_dot(pattern, matched):
    trained = is_trained((pattern,))
    assert tuple(index for index, path in enumerate(PATHS) if trained(path)) == matched


def test_last_layers_are_those_of_the_patterns():
    assert last_layers(("resampler", "llama.blocks"), 4) == 0
    assert last_layers(("llama.blocks[-2:].query", "llama.blocks[-2:].key"), 4) == 2
    with pytest.raises(InputError, match="must name the same last layers"):
        last_layers(("llama.blocks[-2:]", "llama.blocks[-1:]"), 4)
    with pytest.raises(InputError, match=r"names all layers; write 'llama\.blocks'"):
        last_layers(("llama.blocks[-4:]",), 4)


def arrays(**dtypes):
    return {path: SimpleNamespace(dtype=jnp.dtype(dtype)) for path, dtype in dtypes.items()}


@pytest.mark.parametrize(
    "patterns, path, dtype, message",
    [
        ((), "resampler.head", "float32", "names nothing to train"),
        (("resampler",), "llama.embedding", "float32", "'resampler' matches no array"),
        (("encoder",), "encoder.balance", "float32", "the video encoder is not trained"),
        (("llama",), "llama.blocks.query.values", "int8", "quantised weights cannot be trained"),
        (("llama",), "llama.blocks.query.scales", "bfloat16", "quantised weights cannot"),
        (("llama.*lora*",), "llama.embedding", "float32", r"llama\.lora\.rank is 0"),
    ],
)
def test_what_cannot_be_trained_is_refused(patterns, path, dtype, message):
    with pytest.raises(InputError, match=message):
        check_trainable(patterns, arrays(**{path: dtype}))


def test_an_adapter_that_is_not_trained_is_refused():
    model = arrays(**{"resampler.head": "float32", "llama.blocks.lora.query.a": "float32"})
    with pytest.raises(InputError, match=r"llama\.blocks\.lora\.query\.a is not trained; add"):
        check_trainable(("resampler",), model)
    check_trainable(("resampler", "llama.*lora*"), model)
