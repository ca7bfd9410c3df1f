"""The learning rate's curve, what is decayed, what is clipped."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn.initializers import ones

from stepdiff_jax.config import OptimizerConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.variables import Weight, make_weight
from stepdiff_jax.training.optimizer import learning_rate, make_optimizer

CONFIG = OptimizerConfig(steps=100, peak_rate=1e-2, warmup_steps=10, final_fraction=0.1)


def weight(shape: tuple[int, ...], axes: tuple[str | None, ...]) -> Weight:
    return make_weight(ones, jax.random.key(0), shape, jnp.float32, axes)


def test_rate_rises_linearly_falls_as_a_cosine_and_ends_at_the_fraction():
    _, schedule = make_optimizer(CONFIG)
    rates = np.array([float(schedule(step)) for step in range(100)])
    np.testing.assert_allclose(rates[:10], 1e-3 * np.arange(1, 11), rtol=1e-5)
    progress = (np.arange(11, 101) - 10) / 90
    cosine = 1e-3 + (1e-2 - 1e-3) * 0.5 * (1 + np.cos(np.pi * progress))
    np.testing.assert_allclose(rates[10:], cosine, rtol=1e-4)


def test_only_matrices_decay_and_stacked_vectors_are_none():
    trainable = {
        "matrix": weight((2, 3), ("embed", "mlp")),
        "bias": weight((3,), ("mlp",)),
        "stacked_bias": weight((4, 3), ("layers", "mlp")),
        "stacked_matrix": weight((4, 2, 3), ("layers", "embed", "mlp")),
        "scalar": weight((), ()),
    }
    optimizer, schedule = make_optimizer(dataclasses.replace(CONFIG, weight_decay=0.5))
    zero = jax.tree.map(jnp.zeros_like, trainable)
    updates, _ = optimizer.update(zero, optimizer.init(trainable), trainable)
    moved = {name: float(update.get_value().sum()) for name, update in updates.items()}
    decayed = float(schedule(0)) * -0.5
    assert moved == pytest.approx(
        {
            "matrix": 6 * decayed,
            "bias": 0,
            "stacked_bias": 0,
            "stacked_matrix": 24 * decayed,
            "scalar": 0,
        }
    )


def test_moments_see_the_clipped_gradient():
    trainable = {"a": weight((3,), ("embed",)), "b": weight((4,), ("embed",))}
    optimizer, _ = make_optimizer(dataclasses.replace(CONFIG, clip_norm=0.5, b1=0.0))
    gradient = jax.tree.map(lambda x: 100.0 * x, trainable)
    _, state = optimizer.update(gradient, optimizer.init(trainable), trainable)
    moments = jax.tree.leaves(state[1][0].mu)
    assert float(jnp.sqrt(sum(jnp.sum(m**2) for m in moments))) == pytest.approx(0.5, rel=1e-5)


def test_learning_rate_of_a_state_is_that_of_its_next_update():
    trainable = {"a": weight((3,), ("embed",))}
    optimizer, schedule = make_optimizer(CONFIG)
    state = optimizer.init(trainable)
    for step in range(3):
        assert float(learning_rate(state, schedule)) == float(schedule(step))
        _, state = optimizer.update(trainable, state, trainable)


@pytest.mark.parametrize(
    "field, value",
    [
        ("steps", 0),
        ("warmup_steps", 100),
        ("final_fraction", 1.5),
        ("peak_rate", 0.0),
        ("clip_norm", -1.0),
    ],
)
def test_value_out_of_range_is_an_input_error_that_names_it(field, value):
    with pytest.raises(InputError, match=rf"optimizer\.{field} .*{value}"):
        make_optimizer(dataclasses.replace(CONFIG, **{field: value}))
