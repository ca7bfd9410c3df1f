"""A frozen matrix in int8 or int4, as two variables that are sharded by their own axis names."""

import jax
from flax import nnx
from jax.typing import DTypeLike

from stepdiff_jax.models.variables import Frozen, LogicalAxes, frozen_array
from stepdiff_jax.quantize import dequantize, quantize_weight


class QuantizedWeight(nnx.Module):
    """Stands where a `Frozen` [inputs, outputs] would: `project` takes either.

    values: int8 or int4 [inputs, outputs], with the names of the weight.
    scales: [tiles, outputs] in the model's dtype. Tiles of an axis "embed" are named "embed_tiles";
        the single tile of int8 has no name.
    """

    def __init__(
        self, weight: jax.Array, axes: LogicalAxes, *, quantization: str, dtype: DTypeLike
    ):
        array = quantize_weight(weight, quantization, dtype)
        inputs, outputs = axes
        tiles = f"{inputs}_tiles" if inputs and quantization == "int4" else None
        self.values = frozen_array(array.qvalue, axes)
        self.scales = frozen_array(array.scale, (tiles, outputs))


def project(x: jax.Array, weight: Frozen | QuantizedWeight) -> jax.Array:
    """`x @ weight`: [..., inputs] to [..., outputs]; a quantised weight is expanded here only."""
    if isinstance(weight, QuantizedWeight):
        return _project(x, weight.values[...], weight.scales[...])
    return x @ weight[...]


@jax.checkpoint
def _project(x: jax.Array, values: jax.Array, scales: jax.Array) -> jax.Array:
    # Expanded anew in the backward pass: otherwise a loop over layers without remat would keep all
    # of its expanded weights, and so the full-precision model.
    return x @ dequantize(values, scales)
