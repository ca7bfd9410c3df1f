"""Trains all weights of a stand-in round by round, in the training loop of all experiments."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import grain
import jax
import numpy as np
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from stepdiff_jax.config import LoopConfig, MeshConfig, OptimizerConfig
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.sharding import make_mesh, put_whole, state_shardings
from stepdiff_jax.training.loop import run
from stepdiff_jax.training.program import Data, Program, make_program
from stepdiff_jax.weights.modules import load_weights
from stepdiff_jax.weights.native import save_weights

Module = TypeVar("Module", bound=nnx.Module)
Loss = Callable[[Any, Any, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]
EVERYTHING = ("*",)


@dataclass(frozen=True)
class Round:
    """A round of training.

    number: from 0.
    first: its first step, counted over all rounds.
    steps: its number of steps.
    directory: its run directory.
    """

    number: int
    first: int
    steps: int
    directory: Path


@dataclass(frozen=True)
class Recipe:
    """How a stand-in is trained.

    name: shown with the progress.
    loss: maps (model, batch, random key) to a scalar and figures to log.
    batch: maps a round and a step of it to the step's batch; a pure function, so that an
        interrupted run can resume.
    tokens: counts the tokens of a batch, for the displayed speed.
    settings: what else the batches and the model depend on; a run with other settings is not
        resumed.
    """

    name: str
    loss: Loss
    batch: Callable[[Round, int], Any]
    tokens: Callable[[Any], int]
    peak_rate: float
    seed: int
    settings: Any
    save_every: int = 250


class _Keyed(NamedTuple):
    """A batch, and the data of its random key: uint32 [2]."""

    data: Any
    key: Any


def train_rounds(
    model: Module,
    recipe: Recipe,
    rounds: Sequence[int],
    directory: Path,
    *,
    begin: Callable[[Module, Round], Any] = lambda model, _: model,
    end: Callable[[Any], Module] = lambda model: model,
) -> Module:
    """Train `model` round by round and return it.

    Args:
        rounds: steps in each round. Each starts from the float16 weights of the previous one.
        directory: holds a run directory and a weights file per round; a round whose file exists
            is skipped.
        begin, end: map a model and its round to the module that is trained, and back.
    Raises:
        InputError: a round's run directory holds checkpoints of another training run.
        Interrupted: SIGTERM or SIGINT ended it early; everything is saved.
    """
    for number, steps in enumerate(rounds):
        done = directory / f"round{number}.safetensors"
        if not done.exists():
            one = Round(number, sum(rounds[:number]), steps, directory / f"round{number}")
            save_weights(end(_train_round(begin(model, one), recipe, one)), done)
        model = load_weights(model, done)
    return model


def _train_round(model: nnx.Module, recipe: Recipe, one: Round) -> Any:
    """The model after a round in which all weights are trained, on this machine's first device."""
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    graph, state, nothing = split_variables(model, EVERYTHING)
    seed = recipe.seed + one.number
    batches = grain.MapDataset.range(one.steps).map(partial(_keyed, recipe, one, seed))
    data = Data(
        batches=batches.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)),
        put=partial(jax.device_put, device=NamedSharding(mesh, PartitionSpec())),
        tokens=lambda batch: recipe.tokens(batch.data),
    )
    optimizer = OptimizerConfig(
        steps=one.steps,
        peak_rate=recipe.peak_rate,
        warmup_steps=min(200, one.steps // 10),
        final_fraction=0.02,
    )

    def loss(model: Any, batch: _Keyed) -> tuple[jax.Array, dict[str, jax.Array]]:
        return recipe.loss(model, batch.data, jax.random.wrap_key_data(batch.key))

    def build() -> tuple[Program, Any, Any]:
        on_mesh = put_whole(state, state_shardings(state, mesh))
        settings = repr((recipe.settings, optimizer, seed, one.first))
        return make_program(
            f"{recipe.name}, round {one.number}",
            nnx.merge(graph, on_mesh, nothing),
            EVERYTHING,
            loss,
            data,
            optimizer=optimizer,
            mesh=mesh,
            resampler={},
            config_hash=hashlib.sha256(settings.encode()).hexdigest(),
        )

    loop = LoopConfig(
        run_directory=str(one.directory), checkpoint_every=recipe.save_every, log_every=50
    )
    return nnx.merge(graph, run(build, loop), nothing)


def _keyed(recipe: Recipe, one: Round, seed: int, step: int) -> _Keyed:
    key = jax.random.fold_in(jax.random.key(seed), step)
    return _Keyed(recipe.batch(one, step), np.asarray(jax.random.key_data(key)))
