"""Llama-2 and 3 (arXiv 2307.09288, 2407.21783) as a frozen decoder.

It takes embeddings, any mask and a cache.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, lecun_normal, normal, ones

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.models.attention import attend, rotary_tables, rotate
from stepdiff_jax.models.quantized import QuantizedWeight, project
from stepdiff_jax.models.variables import Frozen, LogicalAxes, frozen
from stepdiff_jax.sharding import constrain


class KeyValues(NamedTuple):
    """Keys and values of every layer: [layers, B, S, kv_heads, head_width] each."""

    key: jax.Array
    value: jax.Array


def rms_norm(x: jax.Array, scale: jax.Array, epsilon: float) -> jax.Array:
    """Root mean square norm over the last axis, in float32 (arXiv 1910.07467)."""
    wide = x.astype(jnp.float32)
    wide *= jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + epsilon)
    return scale * wide.astype(x.dtype)


class Block(nnx.Module):
    """One decoder layer: grouped-query attention and a SwiGLU MLP, both behind an RMS norm."""

    def __init__(self, config: LlamaConfig, *, rngs: nnx.Rngs):
        self.config = config
        width, head = config.width, config.head_width
        weight, matrix = _weights(rngs, jnp.dtype(config.dtype)), _matrices(rngs, config)
        self.attention_norm = weight((width,), ("embed",), ones)
        self.query = matrix((width, config.heads * head), ("embed", "heads"))
        self.key = matrix((width, config.kv_heads * head), ("embed", "heads"))
        self.value = matrix((width, config.kv_heads * head), ("embed", "heads"))
        self.output = matrix((config.heads * head, width), ("heads", "embed"))
        self.mlp_norm = weight((width,), ("embed",), ones)
        self.gate = matrix((width, config.mlp_width), ("embed", "mlp"))
        self.up = matrix((width, config.mlp_width), ("embed", "mlp"))
        self.down = matrix((config.mlp_width, width), ("mlp", "embed"))

    def keys_values(
        self, x: jax.Array, tables: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        """Rotated keys and values of a normed input: [B, L, kv_heads, head_width] each."""
        shape = (*x.shape[:-1], self.config.kv_heads, self.config.head_width)
        key = (project(x, self.key)).reshape(shape)
        return rotate(key, tables), (project(x, self.value)).reshape(shape)

    def __call__(
        self,
        x: jax.Array,
        tables: tuple[jax.Array, jax.Array],
        mask: jax.Array,
        cache: KeyValues | None,
        layer: jax.Array,
        slot: jax.Array | int,
    ) -> tuple[jax.Array, KeyValues | None]:
        """[B, L, E] -> [B, L, E], and the cache with this layer's keys and values at `slot`."""
        config = self.config
        normed = rms_norm(x, self.attention_norm[...], config.norm_epsilon)
        query = (project(normed, self.query)).reshape(
            *x.shape[:-1], config.heads, config.head_width
        )
        key, value = self.keys_values(normed, tables)
        if cache is not None:
            cache = KeyValues(
                *(
                    jax.lax.dynamic_update_slice(stack, new[None], (layer, 0, slot, 0, 0))
                    for stack, new in zip(cache, (key, value))
                )
            )
            key, value = (
                jax.lax.dynamic_index_in_dim(stack, layer, keepdims=False) for stack in cache
            )
        attended = attend(rotate(query, tables), key, value, mask)
        attended = constrain(attended.reshape(*x.shape[:-1], -1), "rows", None, "heads")
        x = constrain(x + project(attended, self.output), "rows")
        normed = rms_norm(x, self.mlp_norm[...], config.norm_epsilon)
        gated = jax.nn.silu(project(normed, self.gate)) * project(normed, self.up)
        return x + project(constrain(gated, "rows", None, "mlp"), self.down), cache


class Llama(nnx.Module):
    """The decoder. Layers are stacked on a leading axis and scanned: 80 trace as one."""

    def __init__(self, config: LlamaConfig, *, rngs: nnx.Rngs):
        self.config = config
        weight = _weights(rngs, jnp.dtype(config.dtype))
        shape = (config.vocabulary_size, config.width)
        self.embedding = weight(shape, ("vocab", "embed"), normal(0.02))
        make = nnx.vmap(
            lambda keys: Block(config, rngs=keys),
            transform_metadata={nnx.PARTITION_NAME: "layers"},
        )
        self.blocks = make(rngs.fork(split=config.layers))
        self.norm = weight((config.width,), ("embed",), ones)
        if not config.tied_embeddings:
            self.head = weight((config.width, config.vocabulary_size), ("embed", "vocab"))

    def embed(self, tokens: jax.Array) -> jax.Array:
        """Embeddings [..., E] of token ids [...]."""
        return constrain(self.embedding[...][tokens], "rows")

    def __call__(
        self,
        embeddings: jax.Array,
        positions: jax.Array,
        mask: jax.Array,
        cache: KeyValues | None = None,
        slot: jax.Array | int = 0,
    ) -> tuple[jax.Array, KeyValues | None]:
        """Final normed hidden states.

        Args:
            embeddings: [B, L, E]; positions: int [B, L].
            mask: bool [B, L, S]; S is L, or the cache's capacity.
            cache: where there is one, this call's keys and values go into it from `slot` on.
        Returns:
            [B, L, E] and the cache.
        """
        config = self.config
        tables = rotary_tables(positions, config.head_width, config.rope_theta, config.rope_scaling)

        def layer(carry: tuple, inputs: tuple) -> tuple[tuple, None]:
            (x, cache), (block, index) = carry, inputs
            # Of a mask that does not hang on the loop's state, JAX spreads a copy over all heads
            # ahead of the loop, and [B, heads, L, S] lies in memory all along.
            x, tied = jax.lax.optimization_barrier((constrain(x, "rows"), mask))
            return block(x, tables, tied, cache, index, slot), None

        # A loop keeps the two passes apart by itself, so there is no merging to prevent.
        body = jax.checkpoint(layer, prevent_cse=False) if config.remat else layer
        layers = (self.blocks, jnp.arange(config.layers))
        (x, cache), _ = jax.lax.scan(body, (embeddings, cache), layers)
        return rms_norm(x, self.norm[...], config.norm_epsilon), cache

    def logits(self, hidden: jax.Array) -> jax.Array:
        """float32 [..., vocabulary] of hidden states [..., E]."""
        head = self.embedding[...].T if self.config.tied_embeddings else self.head[...]
        return jnp.matmul(hidden, head, preferred_element_type=jnp.float32)


def empty_cache(config: LlamaConfig, batch: int, capacity: int) -> KeyValues:
    """A cache of zeros for `capacity` tokens a row."""
    shape = (config.layers, batch, capacity, config.kv_heads, config.head_width)
    zeros = jnp.zeros(shape, jnp.dtype(config.dtype))
    return KeyValues(zeros, zeros)


def _weights(rngs: nnx.Rngs, dtype: jnp.dtype):
    def make(
        shape: tuple[int, ...], axes: LogicalAxes, initializer: Initializer | None = None
    ) -> Frozen:
        return frozen(initializer or lecun_normal(), rngs.params(), shape, dtype, axes)

    return make


def _matrices(rngs: nnx.Rngs, config: LlamaConfig):
    """Of the layers; quantised where the config says so."""
    dtype = jnp.dtype(config.dtype)
    full = _weights(rngs, dtype)

    def make(shape: tuple[int, int], axes: LogicalAxes) -> Frozen | QuantizedWeight:
        weight = full(shape, axes)
        if not config.quantization:
            return weight
        return QuantizedWeight(weight[...], axes, quantization=config.quantization, dtype=dtype)

    return make
