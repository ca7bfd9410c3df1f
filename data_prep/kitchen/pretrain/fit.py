"""A small training loop for the two stand-ins: AdamW, cosine, progress, stop and resume, rounds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jax
import optax
from flax import nnx
from orbax.checkpoint import v1 as ocp
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stepdiff_jax.weights.modules import load_weights
from stepdiff_jax.weights.native import save_weights

Module = TypeVar("Module", bound=nnx.Module)
Loss = Callable[[Any, Any, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]


def fit(
    model: Module,
    loss: Loss,
    batch: Callable[[int], Any],
    *,
    steps: int,
    peak_rate: float,
    seed: int,
    directory: Path,
    save_every: int = 250,
) -> Module:
    """Train every weight of `model` and return it.

    Args:
        loss: of (model, batch, random key), with figures to show.
        batch: from a step number to its batch; a pure function, so a stopped run can go on.
        directory: of the checkpoints; a run that finds one goes on from it.
    """
    graph, state = nnx.split(model)
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, peak_rate, min(200, steps // 10), steps, 0.02 * peak_rate
    )
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, b2=0.98, weight_decay=0.01)
    )

    @jax.jit
    def update(state: Any, moments: Any, data: Any, key: jax.Array) -> tuple:
        def objective(state: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
            return loss(nnx.merge(graph, state), data, key)

        (value, figures), gradient = jax.value_and_grad(objective, has_aux=True)(state)
        change, moments = optimizer.update(gradient, moments, state)
        return optax.apply_updates(state, change), moments, {"loss": value, **figures}

    moments = optimizer.init(state)
    key = jax.random.key(seed)
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
    with ocp.training.Checkpointer(directory) as checkpointer, Progress(*columns) as progress:
        start = 0
        if checkpointer.latest is not None:
            start = checkpointer.latest.step
            saved = checkpointer.load_pytree(start, {"state": state, "moments": moments})
            state, moments = saved["state"], saved["moments"]
        bar = progress.add_task("", total=steps, completed=start)
        for step in range(start, steps):
            state, moments, figures = update(
                state, moments, batch(step), jax.random.fold_in(key, step)
            )
            if step % 50 == 49:
                shown = "  ".join(f"{name} {float(value):.3f}" for name, value in figures.items())
                progress.update(bar, completed=step + 1, description=shown)
                print(f"step {step + 1}  {shown}", flush=True)
            if (step + 1) % save_every == 0 or step + 1 == steps:
                checkpointer.save_pytree(step + 1, {"state": state, "moments": moments})
    return nnx.merge(graph, state)


@dataclass(frozen=True)
class Round:
    """A round of a training: its number from 0, the step of all rounds that it begins with, its own
    steps, and the directory of its checkpoints."""

    number: int
    first: int
    steps: int
    directory: Path


def fit_rounds(
    model: Module,
    rounds: Sequence[int],
    directory: Path,
    train: Callable[[Module, Round], Module],
) -> Module:
    """Train `model` round by round and return it.

    Args:
        rounds: steps of each round. Each begins with the float16 weights of the one before.
        directory: of a directory of checkpoints and a file of weights for each round; a round whose
            file is there is done.
        train: from a model and its round to the model that was trained.
    """
    for number, steps in enumerate(rounds):
        done = directory / f"round{number}.safetensors"
        if not done.exists():
            one = Round(number, sum(rounds[:number]), steps, directory / f"round{number}")
            save_weights(train(model, one), done)
        model = load_weights(model, done)
    return model
