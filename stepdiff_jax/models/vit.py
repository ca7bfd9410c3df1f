"""The transformer block of CLIP and InternVideo, whose weights are frozen.

Layer norm with epsilon 1e-5 in float32, QuickGELU and linear layers with bias, as in Radford et al.
2021 and OpenGVLab/InternVideo. Initial values are CLIP's (section 2.4; its released code).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, normal, ones, zeros

from stepdiff_jax.models.attention import attend
from stepdiff_jax.models.variables import LogicalAxes, make_weight
from stepdiff_jax.sharding import constrain

LAYER_NORM_EPSILON = 1e-5

Module = TypeVar("Module", bound=nnx.Module)


def quick_gelu(x: jax.Array) -> jax.Array:
    """CLIP's approximation of GELU: ``x * sigmoid(1.702 x)``."""
    return x * jax.nn.sigmoid(1.702 * x)


class LayerNorm(nnx.Module):
    """Affine layer norm over the last axis, computed in float32; returns the input's dtype."""

    def __init__(self, width: int, *, dtype: Any, rngs: nnx.Rngs):
        self.scale = make_weight(ones, rngs.params(), (width,), dtype, ("embed",))
        self.bias = make_weight(zeros, rngs.params(), (width,), dtype, ("embed",))

    def __call__(self, x: jax.Array) -> jax.Array:
        x32 = x.astype(jnp.float32)
        centred = x32 - x32.mean(-1, keepdims=True)
        variance = jnp.square(centred).mean(-1, keepdims=True)
        normed = centred * jax.lax.rsqrt(variance + LAYER_NORM_EPSILON)
        return (normed * self.scale[...] + self.bias[...]).astype(x.dtype)


class Linear(nnx.Module):
    """``[..., *inputs] -> [..., *outputs]``: a linear layer with bias over one or more axes."""

    def __init__(
        self,
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        axes: LogicalAxes,
        kernel_init: Initializer,
        *,
        dtype: Any,
        rngs: nnx.Rngs,
    ):
        self.kernel = make_weight(kernel_init, rngs.params(), inputs + outputs, dtype, axes)
        self.bias = make_weight(zeros, rngs.params(), outputs, dtype, axes[len(inputs) :])

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel, bias = self.kernel[...], self.bias[...]
        contracted = kernel.ndim - bias.ndim
        flat = x.reshape(*x.shape[: x.ndim - contracted], -1) @ kernel.reshape(-1, bias.size)
        return flat.reshape(*flat.shape[:-1], *bias.shape) + bias


class Attention(nnx.Module):
    """Multi-head attention with biases; head width is ``width // heads``."""

    def __init__(
        self,
        width: int,
        heads: int,
        in_init: Initializer,
        out_init: Initializer,
        *,
        dtype: Any,
        rngs: nnx.Rngs,
    ):
        per_head = (heads, width // heads)
        axes = ("embed", "heads", "head_dim")

        def projection() -> Linear:
            return Linear((width,), per_head, axes, in_init, dtype=dtype, rngs=rngs)

        self.query, self.key, self.value = projection(), projection(), projection()
        self.out = Linear(
            per_head, (width,), ("heads", "head_dim", "embed"), out_init, dtype=dtype, rngs=rngs
        )

    def __call__(self, x: jax.Array, *, causal: bool = False) -> jax.Array:
        """Self-attention ``[B, L, width] -> [B, L, width]``."""
        mask = jnp.tri(x.shape[1], dtype=bool)[None] if causal else None
        return self.out(attend(self.query(x), self.key(x), self.value(x), mask))

    def pool(self, query: jax.Array, keys: jax.Array) -> jax.Array:
        """Cross-attention of one query: ``[N, width], [N, K, width] -> [N, width]``.

        With a single query, the key and value projections are applied to the query and to the
        weighted mean instead of to all K keys: the same sums in another order. The key bias adds
        the same amount to every score, so softmax drops it.
        """
        q = self.query(query) * self.query.bias.shape[-1] ** -0.5
        q = jnp.einsum("nhd,chd->nhc", q, self.key.kernel[...])
        scores = jnp.einsum("nhc,nkc->nhk", q, keys).astype(jnp.float32)
        weights = jax.nn.softmax(scores).astype(keys.dtype)
        mean = jnp.einsum("nhk,nkc->nhc", weights, keys)
        value = jnp.einsum("nhc,chd->nhd", mean, self.value.kernel[...]) + self.value.bias[...]
        return self.out(value)


class Mlp(nnx.Module):
    """``[..., width] -> [..., width]`` with one hidden QuickGELU layer."""

    def __init__(
        self,
        width: int,
        mlp_width: int,
        in_init: Initializer,
        out_init: Initializer,
        *,
        dtype: Any,
        rngs: nnx.Rngs,
    ):
        self.up = Linear((width,), (mlp_width,), ("embed", "mlp"), in_init, dtype=dtype, rngs=rngs)
        self.down = Linear(
            (mlp_width,), (width,), ("mlp", "embed"), out_init, dtype=dtype, rngs=rngs
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        hidden = quick_gelu(self.up(x))
        return self.down(constrain(hidden, "rows", *(None,) * (x.ndim - 2), "mlp"))


class Block(nnx.Module):
    """Pre-norm residual attention block; ``depth``: blocks of the network, for CLIP's init."""

    def __init__(
        self, width: int, heads: int, mlp_width: int, depth: int, *, dtype: Any, rngs: nnx.Rngs
    ):
        attention_init, mlp_init = normal(width**-0.5), normal((2 * width) ** -0.5)
        residual_init = normal((2 * depth * width) ** -0.5)
        self.ln_1 = LayerNorm(width, dtype=dtype, rngs=rngs)
        self.attention = Attention(
            width, heads, attention_init, residual_init, dtype=dtype, rngs=rngs
        )
        self.ln_2 = LayerNorm(width, dtype=dtype, rngs=rngs)
        self.mlp = Mlp(width, mlp_width, mlp_init, residual_init, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, *, causal: bool = False) -> jax.Array:
        x = constrain(x, "rows")
        x = constrain(x + self.attention(self.ln_1(x), causal=causal), "rows")
        return constrain(x + self.mlp(self.ln_2(x)), "rows")


def stack(count: int, make: Callable[[nnx.Rngs], Module], rngs: nnx.Rngs) -> Module | None:
    """``count`` modules as one, its arrays with a leading "layers" axis; None if ``count`` is 0."""
    if count == 0:
        return None
    vmapped = nnx.vmap(make, transform_metadata={nnx.PARTITION_NAME: "layers"})
    return vmapped(rngs.split(count))


def run_blocks(x: jax.Array, blocks: Block | None, *, causal: bool = False) -> jax.Array:
    """Apply stacked blocks to ``x [B, L, width]`` in sequence."""
    if blocks is None:
        return x

    def step(x: jax.Array, block: Block) -> tuple[jax.Array, None]:
        return block(x, causal=causal), None

    return scan_layers(step, x, blocks)


def scan_layers(step: Callable, carry: Any, layers: Any) -> Any:
    """The final carry of ``step(carry, layer) -> (carry, None)`` over stacked layers.

    The backward pass keeps the outputs of linear layers and recomputes the rest, which is cheap:
    half the memory, and faster on CPU.
    """
    policy = jax.checkpoint_policies.dots_with_no_batch_dims_saveable
    step = jax.checkpoint(step, policy=policy, prevent_cse=False)  # a scan keeps the passes apart
    return jax.lax.scan(step, carry, layers)[0]
