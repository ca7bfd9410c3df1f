"""Llama-2 and 3 (arXiv 2307.09288, 2407.21783) as a decoder.

It accepts embeddings, any mask and a cache.
"""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, lecun_normal, normal, ones

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.models.attention import attend, rotary_tables, rotate
from stepdiff_jax.models.lora import low_rank_adapters
from stepdiff_jax.models.quantized import QuantizedWeight, project
from stepdiff_jax.models.variables import LogicalAxes, Weight, make_weight
from stepdiff_jax.sharding import constrain


class KeyValues(NamedTuple):
    """Keys and values of every layer: [layers, B, S, kv_heads, head_width] each."""

    key: jax.Array
    value: jax.Array


def rms_norm(x: jax.Array, scale: jax.Array, epsilon: float) -> jax.Array:
    """Root mean square norm over the last axis, in float32 (arXiv 1910.07467)."""
    wide = x.astype(jnp.float32)
    wide *= jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + epsilon)
    return scale.astype(x.dtype) * wide.astype(x.dtype)


def matrix_shapes(config: LlamaConfig) -> dict[str, tuple[tuple[int, int], LogicalAxes]]:
    """[inputs, outputs] of each matrix of a layer, with the names of its axes."""
    width, mlp = config.width, config.mlp_width
    queries, keys = config.heads * config.head_width, config.kv_heads * config.head_width
    return {
        "query": ((width, queries), ("embed", "heads")),
        "key": ((width, keys), ("embed", "kv_heads")),
        "value": ((width, keys), ("embed", "kv_heads")),
        "output": ((queries, width), ("heads", "embed")),
        "gate": ((width, mlp), ("embed", "mlp")),
        "up": ((width, mlp), ("embed", "mlp")),
        "down": ((mlp, width), ("mlp", "embed")),
    }


class Block(nnx.Module):
    """One decoder layer: grouped-query attention and a SwiGLU MLP, both after an RMS norm.

    lora: the adapters by matrix name; none by default.
    """

    def __init__(self, config: LlamaConfig, *, rngs: nnx.Rngs):
        self.config = config
        weight, matrix = _weights(rngs, jnp.dtype(config.dtype)), _matrices(rngs, config)
        shapes = matrix_shapes(config)
        self.attention_norm = weight((config.width,), ("embed",), ones)
        self.query = matrix(*shapes["query"])
        self.key = matrix(*shapes["key"])
        self.value = matrix(*shapes["value"])
        self.output = matrix(*shapes["output"])
        self.mlp_norm = weight((config.width,), ("embed",), ones)
        self.gate = matrix(*shapes["gate"])
        self.up = matrix(*shapes["up"])
        self.down = matrix(*shapes["down"])
        self.lora = nnx.Dict(low_rank_adapters(config.lora, shapes, rngs=rngs))

    def keys_values(
        self, x: jax.Array, tables: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        """Rotated keys and values of a normed input: [B, L, kv_heads, head_width] each."""
        shape = (*x.shape[:-1], self.config.kv_heads, self.config.head_width)
        key = project(x, self.key, self.lora.get("key")).reshape(shape)
        return rotate(key, tables), project(x, self.value, self.lora.get("value")).reshape(shape)

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
        config, lora = self.config, self.lora
        normed = rms_norm(x, self.attention_norm[...], config.norm_epsilon)
        query = project(normed, self.query, lora.get("query"))
        if cache is not None:
            # Otherwise XLA for TPUs transposes all layers' matrices before the loop over tokens.
            query = jax.lax.optimization_barrier(query)
        query = query.reshape(*x.shape[:-1], config.heads, config.head_width)
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
        x = constrain(x + project(attended, self.output, lora.get("output")), "rows")
        normed = rms_norm(x, self.mlp_norm[...], config.norm_epsilon)
        gate = project(normed, self.gate, lora.get("gate"))
        gated = jax.nn.silu(gate) * project(normed, self.up, lora.get("up"))
        gated = constrain(gated, "rows", None, "mlp")
        return x + project(gated, self.down, lora.get("down")), cache


class Llama(nnx.Module):
    """The decoder. Layers are stacked on a leading axis and scanned, so that only one is traced.

    If only the last layers are trained, they have a stack of their own, `last_blocks`: the gradient
    then has the trained layers' shape, and no stack is sliced in a step.
    """

    def __init__(self, config: LlamaConfig, *, last_layers: int = 0, rngs: nnx.Rngs):
        """`last_layers`: number of layers in `last_blocks`; these are never quantised."""
        self.config = config
        self.last_layers = last_layers
        weight = _weights(rngs, jnp.dtype(config.dtype))
        shape = (config.vocabulary_size, config.width)
        self.embedding = weight(shape, ("vocab", "embed"), normal(0.02))
        self.blocks = _stack(config, config.layers - last_layers, rngs)
        if last_layers:
            self.last_blocks = _stack(replace(config, quantization=""), last_layers, rngs)
        self.norm = weight((config.width,), ("embed",), ones)
        if not config.tied_embeddings:
            self.head = weight((config.width, config.vocabulary_size), ("embed", "vocab"))

    def embed(self, tokens: jax.Array) -> jax.Array:
        """Embeddings [..., E] of token ids [...]."""
        embeddings = self.embedding[...][tokens].astype(jnp.dtype(self.config.dtype))
        return constrain(embeddings, "rows")

    def __call__(
        self,
        embeddings: jax.Array,
        positions: jax.Array,
        mask: jax.Array,
        cache: KeyValues | None = None,
        slot: jax.Array | int = 0,
    ) -> tuple[jax.Array, KeyValues | None]:
        """Final hidden states after the last norm.

        Args:
            embeddings: [B, L, E]; positions: int [B, L].
            mask: bool [B, L, S]; S is L, or the cache's capacity.
            cache: if given, this call's keys and values are written to it from `slot` on.
        Returns:
            [B, L, E] and the cache.
        """
        config = self.config
        tables = rotary_tables(positions, config.head_width, config.rope_theta, config.rope_scaling)

        def layer(carry: tuple, inputs: tuple) -> tuple[tuple, None]:
            (x, cache), (block, index) = carry, inputs
            # If the mask did not depend on the loop's state, JAX would broadcast it over all heads
            # before the loop and keep [B, heads, L, S] in memory throughout.
            x, tied = jax.lax.optimization_barrier((constrain(x, "rows"), mask))
            return block(x, tables, tied, cache, index, slot), None

        # A scan already keeps the two passes apart, so there is no CSE to prevent.
        body = jax.checkpoint(layer, prevent_cse=False) if config.remat else layer
        first = config.layers - self.last_layers
        carry = (embeddings, cache)
        carry, _ = jax.lax.scan(body, carry, (self.blocks, jnp.arange(first)))
        if self.last_layers:
            layers = jnp.arange(first, config.layers)
            carry, _ = jax.lax.scan(body, carry, (self.last_blocks, layers))
        x, cache = carry
        return rms_norm(x, self.norm[...], config.norm_epsilon), cache

    def logits(self, hidden: jax.Array) -> jax.Array:
        """float32 [..., vocabulary] of hidden states [..., E]."""
        head = self.embedding[...].T if self.config.tied_embeddings else self.head[...]
        return jnp.matmul(hidden, head.astype(hidden.dtype), preferred_element_type=jnp.float32)


def empty_cache(config: LlamaConfig, batch: int, capacity: int) -> KeyValues:
    """A cache of zeros for `capacity` tokens per row."""
    shape = (config.layers, batch, capacity, config.kv_heads, config.head_width)
    zeros = jnp.zeros(shape, jnp.dtype(config.dtype))
    zeros = constrain(zeros, "layers", "rows", None, "kv_heads")
    return KeyValues(zeros, zeros)


def _stack(config: LlamaConfig, layers: int, rngs: nnx.Rngs) -> Block:
    """All layers as one block, with a leading axis of layers on every array."""
    make = nnx.vmap(
        lambda keys: Block(config, rngs=keys),
        transform_metadata={nnx.PARTITION_NAME: "layers"},
    )
    return make(rngs.fork(split=layers))


def _weights(rngs: nnx.Rngs, dtype: jnp.dtype):
    def make(
        shape: tuple[int, ...], axes: LogicalAxes, initializer: Initializer | None = None
    ) -> Weight:
        return make_weight(initializer or lecun_normal(), rngs.params(), shape, dtype, axes)

    return make


def _matrices(rngs: nnx.Rngs, config: LlamaConfig):
    """A maker of the layers' matrices, quantised if the config says so."""
    dtype = jnp.dtype(config.dtype)
    full = _weights(rngs, dtype)

    def make(shape: tuple[int, int], axes: LogicalAxes) -> Weight | QuantizedWeight:
        weight = full(shape, axes)
        if not config.quantization:
            return weight
        return QuantizedWeight(weight[...], axes, quantization=config.quantization, dtype=dtype)

    return make
