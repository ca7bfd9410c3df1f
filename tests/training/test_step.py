"""The step never differentiates, donates or writes a frozen weight."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from stepdiff_jax.config import (
    EncoderConfig,
    LlamaConfig,
    LoraConfig,
    MeshConfig,
    OptimizerConfig,
    ResamplerConfig,
    TextTowerConfig,
)
from stepdiff_jax.layout import PackedRows
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.models.resampler import Resampler
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.models.vclm import VCLM, answer_loss
from stepdiff_jax.sharding import make_mesh, state_shardings
from stepdiff_jax.training.optimizer import make_optimizer
from stepdiff_jax.training.step import make_step

# Every width is its own, so that an array's shape tells which weight it belongs to.
LLAMA = LlamaConfig(
    vocabulary_size=101, width=28, layers=3, heads=2, kv_heads=1, mlp_width=37, dtype="float32"
)
ENCODER = EncoderConfig(
    image_size=8,
    patch_size=4,
    frames=2,
    width=18,
    heads=3,
    layers=1,
    mlp_width=29,
    uniblock_layers=(),
    embedding_width=13,
    text=TextTowerConfig(vocabulary_size=17, context=7, width=22, heads=2, layers=2, mlp_width=23),
    dtype="float32",
)
CASES = {
    "resampler": (LLAMA, ("resampler",), 0, 14),
    "last layers": (LLAMA, ("resampler", "llama.blocks[-1:]"), 1, 9),
    "lora": (
        replace(LLAMA, lora=LoraConfig(rank=2, matrices=("query", "output", "down"))),
        ("resampler", "llama.*lora*"),
        0,
        14,
    ),
}
"""Language model, what is trained, its last layers in a stack of their own, and how many shapes of
frozen weights no trained weight has, at least."""
RESAMPLER = ResamplerConfig(layers=1, latents=5, heads=3, head_width=11, mlp_width=41)
ANSWERS = 6


def build(config: LlamaConfig, last_layers: int) -> VCLM:
    """With random weights, without compiling their initialisers."""

    def make() -> VCLM:
        rngs = nnx.Rngs(0)
        resampler = Resampler(
            RESAMPLER,
            input_width=ENCODER.width,
            output_width=LLAMA.width,
            frames=ENCODER.frames,
            rngs=rngs,
        )
        llama = Llama(config, last_layers=last_layers, rngs=rngs)
        return VCLM(InternVideo(ENCODER, rngs=rngs), resampler, llama)

    graph, state = nnx.split(nnx.eval_shape(make))
    rng = np.random.default_rng(0)
    random = jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(0.0, 0.2, leaf.shape), leaf.dtype), state
    )
    return nnx.merge(graph, random)


def batch() -> tuple[PackedRows, np.ndarray]:
    """Two rows of 16 tokens: one video, then text whose last four tokens are answers."""
    slot = np.full((2, 16), -1, np.int32)
    slot[:, 1:6] = np.arange(5)
    answer = np.zeros((2, 16), np.float32)
    answer[:, 12:] = 1.0
    rows = PackedRows(
        tokens=np.random.default_rng(0).integers(3, 100, (2, 16)).astype(np.int32),
        visual_slot=slot,
        positions=np.tile(np.arange(16, dtype=np.int32), (2, 1)),
        segment=np.ones((2, 16), np.int32),
        parent=np.zeros((2, 16), np.int32),
        loss_mask=answer,
    )
    return rows, np.random.default_rng(1).integers(0, 255, (2, 1, 2, 8, 8, 3)).astype(np.uint8)


def loss(model: VCLM, batch: tuple[PackedRows, Any]) -> tuple[jax.Array, dict[str, jax.Array]]:
    return answer_loss(model, *batch, answers=ANSWERS)


@pytest.fixture(scope="module", params=CASES)
def program(request) -> tuple[Any, tuple[Any, ...], Any, int]:
    """The step, its arguments, the model's graph, and the least number of shapes of `CASES`."""
    config, patterns, last_layers, least = CASES[request.param]
    graph, trainable, frozen = split_variables(build(config, last_layers), patterns)
    optimizer, schedule = make_optimizer(OptimizerConfig(steps=10, warmup_steps=2))
    opt_state = jax.jit(optimizer.init)(trainable)
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    shardings = (state_shardings(trainable, mesh), state_shardings(opt_state, mesh))
    step = make_step(graph, optimizer, schedule, loss, mesh, shardings)
    return step, (trainable, opt_state, frozen, batch()), graph, least


def computed_shapes(jaxpr: Any) -> Iterator[tuple[int, ...]]:
    """Shapes of everything that a program computes, inner programs included."""
    for equation in jaxpr.eqns:
        inner = [p for value in equation.params.values() for p in jax.tree.leaves(value)]
        inner = [getattr(p, "jaxpr", p) for p in inner]
        programs = [p for p in inner if hasattr(p, "eqns")]
        if programs:  # its outputs are computed inside
            for program in programs:
                yield from computed_shapes(program)
        if not programs or equation.primitive.name == "scan":
            yield from (variable.aval.shape for variable in equation.outvars)


def large_shapes(state: Any) -> set[tuple[int, ...]]:
    """Of stacked and single weights, and transposed; vectors look like activations."""
    shapes = {leaf.shape for leaf in jax.tree.leaves(state) if leaf.ndim >= 2}
    shapes |= {shape[1:] for shape in shapes if len(shape) >= 3}
    return shapes | {shape[::-1] for shape in shapes}


def test_program_computes_nothing_shaped_like_a_frozen_weight(program):
    step, arguments, graph, least = program
    trainable, _, frozen, data = arguments
    # A weight with a trained twin's shape would prove nothing.
    shapes = large_shapes(frozen["llama"]) - large_shapes(trainable)
    assert len(shapes) >= least
    found = Counter(computed_shapes(step.trace(*arguments).jaxpr.jaxpr))
    assert not shapes & found.keys()

    def everything(trainable: Any, frozen: Any) -> jax.Array:
        return loss(nnx.merge(graph, trainable, frozen), data)[0]

    both = jax.make_jaxpr(jax.grad(everything, argnums=(0, 1)))(trainable, frozen)
    gradients = {leaf.shape for leaf in jax.tree.leaves(frozen["llama"]) if leaf.ndim >= 2}
    assert gradients - large_shapes(trainable) <= Counter(computed_shapes(both.jaxpr)).keys()


def test_trained_tree_and_optimizer_are_donated_and_nothing_else(program):
    step, arguments, *_ = program
    donated = jax.tree.map(lambda info: info.donated, step.lower(*arguments).args_info[0])
    for argument, expected in zip(donated, (True, True, False, False)):
        assert set(jax.tree.leaves(argument)) == {expected}


def test_steps_lower_the_loss_and_move_every_trained_weight_and_no_frozen_one(program):
    step, (trainable, opt_state, frozen, data), *_ = program
    _, schedule = make_optimizer(OptimizerConfig(steps=10, warmup_steps=2))
    before = jax.tree.map(np.array, (trainable, frozen))
    state = jax.tree.map(jnp.copy, (trainable, opt_state))
    given = state[0]
    losses = []
    for number in range(3):
        *state, metrics = step(*state, frozen, data)
        losses.append(float(metrics["loss"]))
        assert float(metrics["learning_rate"]) == pytest.approx(float(schedule(number)))
    assert losses[2] < losses[1] < losses[0]
    assert float(metrics["gradient_norm"]) > 0
    assert int(metrics["answer_tokens"]) == 8
    moved = jax.tree.map(lambda a, b: bool(np.any(a != np.asarray(b))), before[0], state[0])
    assert all(jax.tree.leaves(moved)), moved
    assert given["resampler"]["head"].get_value().is_deleted()
    same = jax.tree.map(lambda a, b: bool(jnp.all(a == b)), before[1], frozen)
    assert all(jax.tree.leaves(same))
