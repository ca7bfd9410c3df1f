"""Interleaved training with Llama-2-chat 70B, the paper's main model; else as with 7B."""

from dataclasses import replace

from configs import interleaved_7b
from stepdiff_jax.config import LLAMA_2_70B, Experiment


def experiment() -> Experiment:
    small = interleaved_7b.experiment()
    return replace(
        small,
        name="interleaved-70b",
        llama=LLAMA_2_70B,
        weights=replace(
            small.weights,
            llama="weights/llama-2-70b-chat",
            tokenizer="weights/llama-2-70b-chat/tokenizer.model",
        ),
        loop=replace(small.loop, run_directory="runs/interleaved_70b"),
    )
