"""M_proj: a Perceiver resampler and a linear head, the only trained part (paper, section 4).

Two layers and 32 output tokens are from the paper. **Ours**: Flamingo's form of the layers
(cross-attention over [features; latents], arXiv 2204.14198 section 3.1.1), a learned embedding of
the frame's time on the features (the encoder's tokens carry none), and an output that starts at
the scale of the language model's embeddings.
"""

from math import log

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import constant, normal, ones, zeros

from stepdiff_jax.config import ResamplerConfig
from stepdiff_jax.models.attention import attend
from stepdiff_jax.models.variables import Weight, make_weight
from stepdiff_jax.sharding import constrain

EPSILON = 1e-5


class LayerNorm(nnx.Module):
    """Affine layer norm over the last axis, trained, in float32."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.scale = make_weight(ones, rngs.params(), (width,), jnp.float32, ("embed",))
        self.bias = make_weight(zeros, rngs.params(), (width,), jnp.float32, ("embed",))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.astype(jnp.float32)
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        scale = jax.lax.rsqrt(jnp.mean(jnp.square(centred), axis=-1, keepdims=True) + EPSILON)
        return centred * scale * self.scale[...] + self.bias[...]


class ResamplerLayer(nnx.Module):
    """Latents attend to [features; latents], then an MLP; both residual and pre-norm."""

    def __init__(self, config: ResamplerConfig, width: int, *, rngs: nnx.Rngs):
        self.config = config
        inner = config.heads * config.head_width

        def weight(inputs: int, outputs: int, axes: tuple[str, str]) -> Weight:
            scale = normal(inputs**-0.5)
            return make_weight(scale, rngs.params(), (inputs, outputs), jnp.float32, axes)

        self.feature_norm = LayerNorm(width, rngs=rngs)
        self.latent_norm = LayerNorm(width, rngs=rngs)
        self.query = weight(width, inner, ("embed", "heads"))
        self.key = weight(width, inner, ("embed", "heads"))
        self.value = weight(width, inner, ("embed", "heads"))
        self.output = weight(inner, width, ("heads", "embed"))
        self.mlp_norm = LayerNorm(width, rngs=rngs)
        self.up = weight(width, config.mlp_width, ("embed", "mlp"))
        self.down = weight(config.mlp_width, width, ("mlp", "embed"))

    def __call__(self, latents: jax.Array, features: jax.Array) -> jax.Array:
        """latents [N, K, C], features [N, S, C] -> latents [N, K, C], in the dtype of features."""
        dtype = features.dtype
        shape = (self.config.heads, self.config.head_width)
        normed = self.latent_norm(latents).astype(dtype)
        seen = jnp.concatenate([self.feature_norm(features).astype(dtype), normed], axis=1)
        query, key, value = (
            (x @ weight[...].astype(dtype)).reshape(*x.shape[:-1], *shape)
            for x, weight in ((normed, self.query), (seen, self.key), (seen, self.value))
        )
        attended = attend(query, key, value).reshape(*latents.shape[:-1], -1)
        latents = constrain(latents + attended @ self.output[...].astype(dtype), "rows")
        hidden = jax.nn.gelu(self.mlp_norm(latents).astype(dtype) @ self.up[...].astype(dtype))
        return constrain(latents + hidden @ self.down[...].astype(dtype), "rows")


class Resampler(nnx.Module):
    """Features of one video -> a few tokens in the language model's embedding space."""

    def __init__(
        self,
        config: ResamplerConfig,
        *,
        input_width: int,
        output_width: int,
        frames: int,
        output_rms: float = 1.0,
        rngs: nnx.Rngs,
    ):
        """`output_rms`: RMS of the language model's token embeddings; the initial output scale."""

        def array(scale: float, *shape: int) -> Weight:
            axes = (None,) * (len(shape) - 1) + ("embed",)
            return make_weight(normal(scale), rngs.params(), shape, jnp.float32, axes)

        self.frames = frames
        self.time_embedding = array(0.5, frames, input_width)
        self.initial_latents = array(1.0, config.latents, input_width)
        self.layers = nnx.List(
            [ResamplerLayer(config, input_width, rngs=rngs) for _ in range(config.layers)]
        )
        self.norm = LayerNorm(input_width, rngs=rngs)
        self.head = make_weight(
            normal(input_width**-0.5),
            rngs.params(),
            (input_width, output_width),
            jnp.float32,
            ("embed", None),
        )
        # A logarithm, so that an optimizer step changes the scale by a small factor.
        self.log_scale = make_weight(constant(log(output_rms)), rngs.params(), (), jnp.float32, ())

    def __call__(self, features: jax.Array) -> jax.Array:
        """[N, frames * patches, input_width], time-major -> [N, latents, output_width].

        Computed in the features' dtype; the weights stay float32.
        """
        count, tokens, width = features.shape
        timed = features.reshape(count, self.frames, tokens // self.frames, width)
        timed = timed + self.time_embedding[...].astype(features.dtype)[:, None]
        features = constrain(timed.reshape(count, tokens, width), "rows")
        latents = jnp.broadcast_to(
            self.initial_latents[...].astype(features.dtype), (count, *self.initial_latents.shape)
        )
        for layer in self.layers:
            latents = layer(latents, features)
        head = self.head[...] * jnp.exp(self.log_scale[...])
        return constrain(
            self.norm(latents).astype(features.dtype) @ head.astype(features.dtype), "rows"
        )
