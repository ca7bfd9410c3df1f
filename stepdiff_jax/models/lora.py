"""Low-rank adapters for frozen matrices (LoRA, arXiv 2106.09685)."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import variance_scaling, zeros

from stepdiff_jax.config import LoraConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.variables import LogicalAxes, make_weight


class LowRank(nnx.Module):
    """The adapter of one matrix [inputs, outputs]; float32 regardless of the matrix's dtype.

    a: [inputs, rank], uniform within 1/sqrt(inputs), as peft initialises it.
    b: [rank, outputs], zeros, so that training starts from the unchanged model.
    """

    def __init__(
        self, config: LoraConfig, shape: tuple[int, int], axes: LogicalAxes, *, rngs: nnx.Rngs
    ):
        (inputs, outputs), (input_axis, output_axis), rank = shape, axes, config.rank
        uniform = variance_scaling(1 / 3, "fan_in", "uniform")
        self.scale = config.alpha / rank
        self.a = make_weight(
            uniform, rngs.params(), (inputs, rank), jnp.float32, (input_axis, None)
        )
        self.b = make_weight(
            zeros, rngs.params(), (rank, outputs), jnp.float32, (None, output_axis)
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., inputs] -> [..., outputs], to be added to the matrix's product; in x's dtype."""
        return (x @ self.a[...].astype(x.dtype)) @ self.b[...].astype(x.dtype) * self.scale


def low_rank_adapters(
    config: LoraConfig,
    shapes: Mapping[str, tuple[tuple[int, int], LogicalAxes]],
    *,
    rngs: nnx.Rngs,
) -> dict[str, LowRank]:
    """The adapters of a config by matrix name; none if the rank is 0.

    Args:
        shapes: [inputs, outputs] and axis names of each available matrix.
    Raises:
        InputError: a field of the config is invalid.
    """
    if config.rank < 0:
        raise InputError(f"llama.lora.rank must not be negative, got {config.rank}")
    if config.rank == 0:
        return {}
    if config.alpha <= 0:
        raise InputError(f"llama.lora.alpha must be positive, got {config.alpha}")
    if not config.matrices:
        raise InputError("llama.lora.matrices is empty; set llama.lora.rank to 0 for no adapters")
    for name in config.matrices:
        if name not in shapes:
            raise InputError(f"llama.lora.matrices: {name!r} must be one of {', '.join(shapes)}")
    return {name: LowRank(config, *shapes[name], rngs=rngs) for name in config.matrices}
