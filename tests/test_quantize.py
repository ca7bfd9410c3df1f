"""int8 and int4 of one matrix: qwix's values, and errors no larger than half a level."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import qwix

from stepdiff_jax.errors import InputError
from stepdiff_jax.quantize import TILE, dequantize, quantize_weight

WEIGHT = np.random.default_rng(0).normal(0.0, 0.02, (3, 2 * TILE, 24)).astype(np.float32)
HOW = {
    "int8": {"channelwise_axes": (0, 2)},
    "int4": {"channelwise_axes": (0, 2), "tiled_axes": {1: TILE}},
}


@pytest.mark.parametrize("quantization", HOW)
def test_values_are_qwix_own(quantization):
    ours = quantize_weight(WEIGHT, quantization, jnp.float32)
    # Compiled like ours: by itself, a division may differ in its last bit.
    theirs = jax.jit(lambda: qwix.quantize(WEIGHT, quantization, **HOW[quantization]))()
    assert ours.qvalue.dtype == quantization
    np.testing.assert_array_equal(ours.qvalue, theirs.qvalue)
    np.testing.assert_array_equal(ours.scale, theirs.scale)
    np.testing.assert_array_equal(
        dequantize(ours.qvalue, ours.scale), np.asarray(qwix.dequantize(theirs))
    )


@pytest.mark.parametrize("quantization, tiles", [("int8", 1), ("int4", 2)])
def test_no_weight_is_off_by_more_than_half_a_level(quantization, tiles):
    array = quantize_weight(WEIGHT, quantization, jnp.float32)
    assert array.scale.shape == (3, tiles, 24)
    level = np.repeat(array.scale, WEIGHT.shape[1] // tiles, axis=1)
    error = np.abs(dequantize(array.qvalue, array.scale) - WEIGHT)
    assert np.all(error <= 0.5 * level * (1 + 1e-4))  # float32 at the last level


@pytest.mark.parametrize("quantization", HOW)
def test_bfloat16_weights_are_divided_in_float32(quantization):
    weight = jnp.asarray(WEIGHT, jnp.bfloat16)
    array = quantize_weight(weight, quantization, jnp.bfloat16)
    wide = quantize_weight(weight.astype(jnp.float32), quantization, jnp.float32)
    np.testing.assert_array_equal(array.qvalue, wide.qvalue)
    assert dequantize(array.qvalue, array.scale).dtype == jnp.bfloat16


def test_a_layer_of_a_stack_is_quantised_as_if_alone():
    stack = quantize_weight(WEIGHT, "int4", jnp.float32)
    alone = quantize_weight(WEIGHT[1], "int4", jnp.float32)
    np.testing.assert_array_equal(stack.qvalue[1], alone.qvalue)
    np.testing.assert_array_equal(stack.scale[1], alone.scale)


def test_inputs_that_128_does_not_divide_have_smaller_tiles():
    array = jax.eval_shape(lambda: quantize_weight(jnp.zeros((96, 5)), "int4", jnp.float32))
    assert array.scale.shape == (3, 5)


def test_another_quantization_is_an_input_error():
    with pytest.raises(InputError, match=r"llama\.quantization must be one of int8, int4"):
        quantize_weight(WEIGHT, "int5", jnp.float32)
