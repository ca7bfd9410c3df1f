"""Error of int8 and int4: `python -m launch.bench.quantization_error` (takes a few minutes).

A random stack with the shapes of 7B in float32 measures the error of quantization alone, and the
kitchen's language model is evaluated on held-out dialogues. With a quickstart's directory
(`--quickstart runs/quickstart --split test`), its StepDiff also answers DiffMCQ with quantized
language models.
"""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from flax import nnx

from configs import kitchen
from data_prep.kitchen.pretrain.language_model import (
    batch_of_rows,
    language_loss,
    score_tokens,
    value_tokens,
    verdict_tokens,
)
from launch.quickstart import table
from stepdiff_jax.checkpoint import load_trained
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.evaluation.run import evaluate
from stepdiff_jax.families.llama2 import LLAMA_2_7B
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.quantize import dequantize, quantize_weight
from stepdiff_jax.weights.build import build_model
from stepdiff_jax.weights.modules import load_weights

Quantization = Literal["", "int8", "int4"]
QUANTIZATIONS: tuple[Quantization, ...] = ("", "int8", "int4")
LAYERS, LENGTH, SEED = 2, 32, 1001


def report_7b() -> None:
    config = replace(LLAMA_2_7B, layers=LAYERS, vocabulary_size=8, dtype="float32", remat=False)
    graph, state = nnx.split(Llama(config, rngs=nnx.Rngs(0)))
    random = np.random.default_rng(0)
    inputs, way = random.normal(size=(2, 1, LENGTH, config.width)).astype(np.float32)
    positions, mask = jnp.arange(LENGTH)[None], jnp.tri(LENGTH, dtype=bool)[None]

    @jax.jit
    def run(state: nnx.State) -> tuple[jax.Array, jax.Array]:
        model = nnx.merge(graph, state)
        hidden, backward = jax.vjp(lambda inputs: model(inputs, positions, mask)[0], inputs)
        return hidden, backward(way)[0]

    full = run(state)
    for quantization in QUANTIZATIONS[1:]:
        # The same program, with the dequantized weights.
        found = run(jax.tree.map(partial(_rounded, quantization=quantization), state))
        errors = (jnp.linalg.norm(a - b) / jnp.linalg.norm(b) for a, b in zip(found, full))
        print(
            f"7B x {LAYERS} {quantization}: hidden {next(errors):.2%} gradient {next(errors):.2%}"
        )


def _rounded(leaf: jax.Array, quantization: str) -> jax.Array:
    if leaf.ndim < 3:
        return leaf
    array = quantize_weight(leaf, quantization, leaf.dtype)
    return dequantize(array.qvalue, array.scale)


def report_kitchen() -> None:
    experiment = kitchen.experiment()
    tokenizer = Tokenizer(experiment.weights.tokenizer)
    rows = batch_of_rows(tokenizer, SEED, 0)
    measured = partial(
        language_loss,
        values=value_tokens(tokenizer),
        scores=score_tokens(tokenizer),
        verdicts=verdict_tokens(tokenizer),
        end=tokenizer.eos,
    )

    zero = jnp.zeros(())

    @jax.jit
    def loss(model: Llama):
        return measured(model, (rows, zero, zero), jax.random.key(0))

    for quantization in QUANTIZATIONS:
        config = replace(experiment.llama, quantization=quantization)
        model = load_weights(
            nnx.eval_shape(lambda config=config: Llama(config, rngs=nnx.Rngs(0))),
            experiment.weights.llama,
        )
        value, figures = loss(model)
        summary = " ".join(f"{name} {float(figure):.4f}" for name, figure in figures.items())
        print(f"kitchen {quantization or config.dtype}: loss {float(value):.5f} {summary}")


def report_choices(quickstart: Path, split: str) -> None:
    experiment = kitchen.experiment(runs=str(quickstart))
    tokenizer = Tokenizer(experiment.weights.tokenizer)
    for quantization in QUANTIZATIONS:
        llama = replace(experiment.llama, quantization=quantization)
        model = build_model(replace(experiment, llama=llama))
        graph, trainable, frozen = split_variables(model, experiment.trainable)
        # No fingerprint, as the checkpoint was trained with unquantized weights.
        trained = load_trained(quickstart / "stepdiff" / "seed0", trainable, fingerprint=None)
        system = table.video_system(
            nnx.merge(graph, trained, frozen), tokenizer, quickstart / "data", split
        )
        with tempfile.TemporaryDirectory() as predictions:
            benchmark = quickstart / "benchmark" / split
            found = evaluate(system, benchmark, Path(predictions), ("diffmcq",))["diffmcq"]
        summary = f"accuracy {found['accuracy']:.4f} of {found['instances']}"
        print(f"kitchen {quantization or llama.dtype}: DiffMCQ on {split}: {summary}")


def main(
    quickstart: Annotated[Path | None, tyro.conf.arg(help="directory of a quickstart")] = None,
    split: str = "test",
) -> None:
    report_kitchen()
    if quickstart is not None:
        report_choices(quickstart, split)
    report_7b()


if __name__ == "__main__":
    tyro.cli(main)
