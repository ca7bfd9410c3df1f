"""AdamW with linear warm-up and cosine decay; all ours (the paper names no optimizer)."""

from typing import Any

import jax
import optax
from flax import nnx

from stepdiff_jax.config import OptimizerConfig
from stepdiff_jax.errors import InputError


def make_optimizer(
    config: OptimizerConfig,
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """The optimizer of the trained tree, and its learning rate as a function of the step.

    Gradients are clipped by their global norm over the trained tree.

    Raises:
        InputError: a step count, rate or fraction is out of range.
    """
    _check(config)
    curve = optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=config.peak_rate,
        warmup_steps=config.warmup_steps,
        decay_steps=config.steps,
        end_value=config.final_fraction * config.peak_rate,
    )

    def schedule(count: Any) -> Any:
        # Counted from one: the first step has a positive rate, and the last the final rate.
        return curve(count + 1)

    return (
        optax.chain(
            optax.clip_by_global_norm(config.clip_norm),
            optax.adamw(
                schedule,
                b1=config.b1,
                b2=config.b2,
                weight_decay=config.weight_decay,
                mask=_decayed,
            ),
        ),
        schedule,
    )


def learning_rate(opt_state: Any, schedule: optax.Schedule) -> jax.Array:
    """The learning rate of the next update with this state, float32 []."""
    adam = optax.tree_utils.tree_get(
        opt_state, "count", filtering=lambda path, _: "ScaleByAdamState" in str(path[-1])
    )
    return schedule(adam)


def _decayed(trainable: Any) -> Any:
    """True for matrices; biases, norm scales and single vectors are not decayed.

    A leading axis of stacked layers does not make a vector a matrix.
    """

    def is_matrix(variable: Any) -> Any:
        if not isinstance(variable, nnx.Variable):
            return variable.ndim >= 2
        array = variable.get_value()
        stacked = "layers" in (variable.get_metadata().get("out_sharding") or ())
        return variable.replace(array.ndim - stacked >= 2)

    return jax.tree.map(is_matrix, trainable, is_leaf=lambda node: isinstance(node, nnx.Variable))


def _check(config: OptimizerConfig) -> None:
    if config.steps < 1:
        raise InputError(f"optimizer.steps must be positive, got {config.steps}")
    if not 0 <= config.warmup_steps < config.steps:
        raise InputError(
            f"optimizer.warmup_steps must be less than optimizer.steps ({config.steps}), got "
            f"{config.warmup_steps}"
        )
    if not 0 <= config.final_fraction <= 1:
        raise InputError(
            f"optimizer.final_fraction must be between 0 and 1, got {config.final_fraction}"
        )
    for name in ("peak_rate", "clip_norm"):
        if getattr(config, name) <= 0:
            raise InputError(f"optimizer.{name} must be positive, got {getattr(config, name)}")
