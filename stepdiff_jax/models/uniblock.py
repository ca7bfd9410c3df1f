"""InternVideo's global UniBlock: the temporal extractor at the last blocks of the video tower.

It reads the tokens of all frames and updates one pooled vector; the tokens stay unchanged
(UniFormerV2, Li et al. 2022, section 3.3).
"""

from math import prod, sqrt
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, zeros

from stepdiff_jax.models.depthwise import KERNEL, depthwise_conv
from stepdiff_jax.models.variables import make_weight
from stepdiff_jax.models.vit import Attention, LayerNorm, Mlp


def symmetric_uniform(limit: float) -> Initializer:
    """Uniform between ``-limit`` and ``limit``."""

    def init(
        key: jax.Array, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None
    ) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -limit, limit, out_sharding=out_sharding)

    return init


class DepthwiseConv(nnx.Module):
    """The "dynamic position encoding": 3x3x3 over time, rows and columns; zero padding, bias."""

    def __init__(self, width: int, *, dtype: Any, rngs: nnx.Rngs):
        init = symmetric_uniform(prod(KERNEL) ** -0.5)
        axes = (None, None, None, "embed")
        self.kernel = make_weight(init, rngs.params(), (*KERNEL, width), dtype, axes)
        self.bias = make_weight(zeros, rngs.params(), (width,), dtype, ("embed",))

    def __call__(self, x: jax.Array) -> jax.Array:
        """``[N, T, rows, columns, width] -> [N, T, rows, columns, width]``."""
        return depthwise_conv(x, self.kernel[...]) + self.bias[...]


class UniBlock(nnx.Module):
    """One extractor: position encoding, then cross-attention of the pooled vector, then an MLP."""

    def __init__(self, width: int, heads: int, mlp_width: int, *, dtype: Any, rngs: nnx.Rngs):
        # Xavier limits of the original's fused [3 width, width] and [mlp, width] matrices.
        attention_init = symmetric_uniform(sqrt(6 / (width + 3 * width)))
        mlp_init = symmetric_uniform(sqrt(6 / (width + mlp_width)))
        self.dpe = DepthwiseConv(width, dtype=dtype, rngs=rngs)
        self.ln_1 = LayerNorm(width, dtype=dtype, rngs=rngs)
        self.ln_3 = LayerNorm(width, dtype=dtype, rngs=rngs)
        self.attention = Attention(width, heads, attention_init, zeros, dtype=dtype, rngs=rngs)
        self.ln_2 = LayerNorm(width, dtype=dtype, rngs=rngs)
        self.mlp = Mlp(width, mlp_width, mlp_init, zeros, dtype=dtype, rngs=rngs)

    def __call__(self, pooled: jax.Array, x: jax.Array, frames: int) -> jax.Array:
        """``pooled [N, width], x [N * frames, 1 + patches, width] -> [N, width]``."""
        count, length, width = x.shape
        side = round(sqrt(length - 1))
        x = x.reshape(count // frames, frames, length, width)
        grid = x[:, :, 1:].reshape(count // frames, frames, side, side, width)
        grid = grid + self.dpe(grid)
        # The order of keys does not matter to attention: all CLS tokens first saves a copy.
        patches = grid.reshape(count // frames, -1, width)
        keys = self.ln_3(jnp.concatenate([x[:, :, 0], patches], axis=1))
        pooled = pooled + self.attention.pool(self.ln_1(pooled), keys)
        return pooled + self.mlp(self.ln_2(pooled))
