"""The shifted products are the grouped convolution, gradients included."""

import jax
import jax.numpy as jnp
import numpy as np

from stepdiff_jax.models.depthwise import depthwise_conv


def grouped_conv(x, kernel):
    return jax.lax.conv_general_dilated(
        x,
        kernel[..., None, :],
        window_strides=(1, 1, 1),
        padding="SAME",
        dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
        feature_group_count=x.shape[-1],
        precision="highest",
    )


def test_equals_grouped_convolution():
    random = np.random.default_rng(0)
    x, gradient = random.normal(size=(2, 2, 4, 3, 5, 4)).astype(np.float32)
    kernel = random.normal(size=(3, 3, 3, 4)).astype(np.float32)

    def value_and_gradients(conv):
        value, vjp = jax.vjp(conv, x, kernel)
        return value, *vjp(gradient)

    ours = jax.jit(lambda: value_and_gradients(depthwise_conv))()
    theirs = jax.jit(lambda: value_and_gradients(grouped_conv))()
    for our, their in zip(ours, theirs):
        np.testing.assert_allclose(our, their, atol=5e-5)


def test_bfloat16_sums_in_float32():
    """After 256, a running sum in bfloat16 takes no more ones."""
    x = jnp.ones((1, 3, 3, 3, 1), jnp.bfloat16).at[0, 0, 0, 0, 0].set(256)
    total = depthwise_conv(x, jnp.ones((3, 3, 3, 1), jnp.bfloat16))
    assert total.dtype == jnp.bfloat16
    assert total[0, 1, 1, 1, 0] == 256 + 26
