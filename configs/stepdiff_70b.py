"""StepDiff with Llama-2-chat 70B, the paper's main model; else as with 7B."""

from dataclasses import replace

from configs import stepdiff_7b
from stepdiff_jax.config import LLAMA_2_70B, Experiment


def experiment() -> Experiment:
    small = stepdiff_7b.experiment()
    return replace(
        small,
        name="stepdiff-70b",
        llama=LLAMA_2_70B,
        weights=replace(
            small.weights,
            llama="weights/llama-2-70b-chat",
            tokenizer="weights/llama-2-70b-chat/tokenizer.model",
            initial_run="runs/interleaved_70b",
        ),
        loop=replace(small.loop, run_directory="runs/stepdiff_70b"),
    )
