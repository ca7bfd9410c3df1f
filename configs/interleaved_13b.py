"""Interleaved training with Llama-2-chat 13B (the ablation of Table 2); else as with 7B."""

from dataclasses import replace

from configs import interleaved_7b
from stepdiff_jax.config import LLAMA_2_13B, Experiment


def experiment() -> Experiment:
    small = interleaved_7b.experiment()
    return replace(
        small,
        name="interleaved-13b",
        llama=LLAMA_2_13B,
        weights=replace(
            small.weights,
            llama="weights/llama-2-13b-chat",
            tokenizer="weights/llama-2-13b-chat/tokenizer.model",
        ),
        loop=replace(small.loop, run_directory="runs/interleaved_13b"),
    )
