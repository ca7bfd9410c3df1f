"""Weights in int8 and int4, through qwix's primitives.

Weight-only: the result of `dequantize` has the model's dtype, as have activations and gradients.
int8 has a scale per output channel; int4 has one per output channel and tile of `TILE` inputs,
because sixteen levels do not span a whole column of a Llama (both choices are ours).
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import qwix
from jax.typing import DTypeLike

from stepdiff_jax.errors import InputError

TILE = 128
"""Inputs that share a scale in int4; where it does not divide their number, the greatest common
divisor of both."""

INTEGERS = {"int8": jnp.dtype(jnp.int8), "int4": jnp.dtype(jnp.int4)}


@functools.partial(jax.jit, static_argnames=("quantization", "dtype"))
def quantize_weight(
    weight: jax.Array | np.ndarray, quantization: str, dtype: DTypeLike
) -> qwix.QArray:
    """The nearest multiples of the scales, which map each group's largest value to the last level.

    The arithmetic is float32: in bfloat16 a quotient above 64 would already be rounded to halves.
    Compiled, so that a weight always yields the same bits (and fingerprint).

    Args:
        weight: [..., inputs, outputs], any float type; leading axes have separate scales.
        quantization: "int8" or "int4".
        dtype: of the scales, and of the result of `dequantize`: the model's.
    Returns:
        `qvalue` int8 or int4 [..., inputs, outputs], and `scale` [..., tiles, outputs], where tiles
        is 1 for int8.
    Raises:
        InputError: the quantization is unknown.
    """
    if quantization not in INTEGERS:
        raise InputError(
            f"llama.quantization must be one of {', '.join(INTEGERS)} or empty, got "
            f"{quantization!r}"
        )
    inputs = weight.ndim - 2
    tiles = {} if quantization == "int8" else {inputs: math.gcd(weight.shape[inputs], TILE)}
    return qwix.quantize(
        jnp.asarray(weight, jnp.float32),
        INTEGERS[quantization],
        channelwise_axes=[axis for axis in range(weight.ndim) if axis != inputs],
        tiled_axes=tiles,
        scale_dtype=jnp.dtype(dtype),
    )


def dequantize(values: jax.Array, scales: jax.Array) -> jax.Array:
    """The weight [..., inputs, outputs] of `quantize_weight`, in the dtype of the scales."""
    return qwix.dequantize(qwix.QArray(values, scales))
