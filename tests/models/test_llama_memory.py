"""What the backward pass of a frozen 7B keeps: read off the traced program, never run."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.families.llama2 import LLAMA_2_7B
from stepdiff_jax.models.llama import Llama

BATCH, LENGTH = 3, 640
LAYER_INPUTS = (LLAMA_2_7B.layers, BATCH, LENGTH, LLAMA_2_7B.width)


def scans(jaxpr: Any) -> Iterator[Any]:
    """All loops of a program, inner programs included."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation
        for value in jax.tree.leaves(list(equation.params.values())):
            value = getattr(value, "jaxpr", value)
            if hasattr(value, "eqns"):
                yield from scans(value)


def loops_of_gradient(config: LlamaConfig) -> list[Any]:
    """The loops over layers of the gradient by the input embeddings, forward and backward."""
    graph, weights = nnx.split(nnx.eval_shape(lambda: Llama(config, rngs=nnx.Rngs(0))))

    def loss(embeddings: jax.Array, weights: nnx.State, positions: jax.Array, mask: jax.Array):
        hidden, _ = nnx.merge(graph, weights)(embeddings, positions, mask)
        return jnp.sum(jnp.square(hidden.astype(jnp.float32)))

    arguments = (
        jax.ShapeDtypeStruct((BATCH, LENGTH, config.width), jnp.bfloat16),
        weights,
        jax.ShapeDtypeStruct((BATCH, LENGTH), jnp.int32),
        jax.ShapeDtypeStruct((BATCH, LENGTH, LENGTH), jnp.bool_),
    )
    found = list(scans(jax.make_jaxpr(jax.grad(loss))(*arguments).jaxpr))
    assert len(found) == 2
    return found


def stacked_outputs(loop: Any) -> list[tuple[int, ...]]:
    """Shapes of what a loop keeps of every layer."""
    return [variable.aval.shape for variable in loop.outvars[loop.params["num_carry"] :]]


def test_only_the_input_of_each_layer_is_kept():
    forward, backward = loops_of_gradient(LLAMA_2_7B)
    assert stacked_outputs(forward) == [LAYER_INPUTS]
    assert stacked_outputs(backward) == []


def test_without_remat_more_is_kept():
    forward, _ = loops_of_gradient(replace(LLAMA_2_7B, remat=False))
    assert len(stacked_outputs(forward)) > 5


def test_the_mask_is_not_spread_over_heads_ahead_of_a_loop():
    for loop in loops_of_gradient(LLAMA_2_7B):
        squares = {
            variable.aval.shape
            for variable in loop.invars
            if variable.aval.shape[-2:] == (LENGTH, LENGTH)
        }
        assert squares == {(BATCH, LENGTH, LENGTH)}
