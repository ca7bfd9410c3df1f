"""Depthwise 3x3x3 convolution as shifted products, with its gradient.

XLA's grouped convolution is slow on CPU, and its gradient a hundred times slower still; sums of
shifted products are memory-bound everywhere and need no special kernel.
"""

import jax
import jax.numpy as jnp
import numpy as np

KERNEL = (3, 3, 3)


@jax.custom_vjp
def depthwise_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """``x [N, T, rows, columns, C], kernel [3, 3, 3, C] -> same as x``: stride 1, zero padding.

    Cross-correlation, as ``jax.lax.conv_general_dilated`` with ``feature_group_count=C``; summed
    in float32.
    """
    padded, kernel = _pad(x), kernel.astype(jnp.float32)
    total = jnp.zeros(x.shape, jnp.float32)
    for offset in np.ndindex(KERNEL):
        total += _window(padded, offset, x.shape) * kernel[offset]
    return total.astype(x.dtype)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return depthwise_conv(x, kernel), (x, kernel)


def _backward(
    residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    padded = _pad(x)

    def kernel_gradient(offset: jax.Array) -> jax.Array:
        window = _window(padded, offset, x.shape)
        return jnp.sum(window * gradient, axis=(0, 1, 2, 3), dtype=jnp.float32)

    # One offset at a time: XLA's CPU backend takes three times as long for 27 unrolled reductions.
    kernel_gradients = jax.lax.map(kernel_gradient, jnp.array(list(np.ndindex(KERNEL))))
    x_gradient = depthwise_conv(gradient, kernel[::-1, ::-1, ::-1])
    return x_gradient, kernel_gradients.reshape(kernel.shape).astype(kernel.dtype)


depthwise_conv.defvjp(_forward, _backward)


def _pad(x: jax.Array) -> jax.Array:
    return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))


def _window(
    padded: jax.Array, offset: tuple[int, ...] | jax.Array, shape: tuple[int, ...]
) -> jax.Array:
    return jax.lax.dynamic_slice(padded, (0, *offset, 0), shape)
