"""Products with matrices; frozen ones may be stored in int8 or int4.

A quantised matrix is two variables, each sharded by its own axis names.
"""

import jax
from flax import nnx
from jax.typing import DTypeLike

from stepdiff_jax.models.lora import LowRank
from stepdiff_jax.models.variables import LogicalAxes, Weight, as_weight
from stepdiff_jax.quantize import dequantize, quantize_weight


class QuantizedWeight(nnx.Module):
    """Replaces a `Weight` [inputs, outputs]: `project` accepts either.

    values: int8 or int4 [inputs, outputs], with the weight's axis names.
    scales: [tiles, outputs] in the model's dtype. Tiles of an axis "embed" are named "embed_tiles";
        the single tile of int8 has no name.
    """

    def __init__(
        self, weight: jax.Array, axes: LogicalAxes, *, quantization: str, dtype: DTypeLike
    ):
        array = quantize_weight(weight, quantization, dtype)
        inputs, outputs = axes
        tiles = f"{inputs}_tiles" if inputs and quantization == "int4" else None
        self.values = as_weight(array.qvalue, axes)
        self.scales = as_weight(array.scale, (tiles, outputs))


def project(
    x: jax.Array, weight: Weight | QuantizedWeight, adapter: LowRank | None = None
) -> jax.Array:
    """`x @ weight`, plus the adapter's product if any; in the dtype of x.

    [..., inputs] -> [..., outputs]. Quantised weights are expanded only here; trained weights,
    stored in float32, are cast here.
    """
    if isinstance(weight, QuantizedWeight):
        product = _project(x, weight.values[...], weight.scales[...])
    else:
        product = x @ weight[...].astype(x.dtype)
    return product if adapter is None else product + adapter(x)


@jax.checkpoint
def _project(x: jax.Array, values: jax.Array, scales: jax.Array) -> jax.Array:
    # Expanded again in the backward pass: otherwise a loop over layers without remat would keep all
    # expanded weights, that is, the full-precision model.
    return x @ dequantize(values, scales)
