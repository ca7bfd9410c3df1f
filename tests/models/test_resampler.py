"""The resampler: its scale at the start, what it can tell apart, its dtypes and its size."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stepdiff_jax.config import EncoderConfig, ResamplerConfig
from stepdiff_jax.families.llama2 import LLAMA_2_70B
from stepdiff_jax.models.resampler import Resampler

FRAMES, PATCHES, WIDTH, OUTPUT = 4, 6, 32, 48
CONFIG = ResamplerConfig(layers=2, latents=5, heads=4, head_width=8, mlp_width=64)


@functools.cache
def resampler(output_rms: float) -> Resampler:
    sizes = {"input_width": WIDTH, "output_width": OUTPUT, "frames": FRAMES}
    # Compiled as one program: one initialiser at a time takes much longer.
    make = jax.jit(lambda: Resampler(CONFIG, **sizes, output_rms=output_rms, rngs=nnx.Rngs(0)))
    return make()


run = jax.jit(Resampler.__call__)
GRID = np.random.default_rng(0).normal(size=(2, FRAMES, PATCHES, WIDTH)).astype(np.float32)


def flat(grid: np.ndarray) -> np.ndarray:
    return grid.reshape(len(grid), FRAMES * PATCHES, WIDTH)


@pytest.mark.parametrize("output_rms", [0.015, 1.0])
def test_outputs_start_at_the_given_scale(output_rms):
    out = run(resampler(output_rms), flat(GRID))
    assert out.shape == (2, CONFIG.latents, OUTPUT)
    assert out.dtype == jnp.float32
    assert np.sqrt(np.mean(np.square(out))) == pytest.approx(output_rms, rel=0.2)


def test_the_scale_does_not_depend_on_the_features():
    out = run(resampler(0.015), flat(30 * GRID))
    assert np.sqrt(np.mean(np.square(out))) == pytest.approx(0.015, rel=0.2)


def test_the_order_of_frames_matters_and_that_of_patches_does_not():
    model = resampler(1.0)
    out = run(model, flat(GRID))
    backwards = run(model, flat(GRID[:, ::-1]))
    assert np.abs(backwards - out).max() > 0.01
    patches = np.random.default_rng(1).permutation(PATCHES)
    shuffled = GRID[:, :, patches]
    np.testing.assert_allclose(run(model, flat(shuffled)), out, rtol=0, atol=1e-5)


def test_videos_do_not_see_each_other():
    model = resampler(1.0)
    other = GRID.copy()
    other[1] += 1
    np.testing.assert_array_equal(run(model, flat(other))[0], run(model, flat(GRID))[0])


def test_bfloat16_features_give_bfloat16_and_stay_close():
    model = resampler(1.0)
    exact = run(model, flat(GRID))
    out = run(model, flat(GRID).astype(jnp.bfloat16))
    assert out.dtype == jnp.bfloat16
    error = np.asarray(out, np.float32) - exact
    assert np.sqrt(np.mean(np.square(error))) < 0.03


def test_parameters_at_the_size_of_the_paper():
    """33.6 M for 70B's width: 25.2 M in two layers, 8.4 M in the head."""
    encoder = EncoderConfig()
    model = nnx.eval_shape(
        lambda: Resampler(
            ResamplerConfig(),
            input_width=encoder.width,
            output_width=LLAMA_2_70B.width,
            frames=encoder.frames,
            rngs=nnx.Rngs(0),
        )
    )
    count = sum(array.size for array in jax.tree.leaves(nnx.state(model)))
    assert round(count / 1e6, 1) == 33.6
