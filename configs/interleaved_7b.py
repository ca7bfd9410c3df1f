"""Interleaved (video, ASR) sequences with Llama-2-chat 7B: what StepDiff starts from (section 4).

Steps and rate are AnyMAL's (arXiv 2309.16058); paths, batch and row shape are ours.
"""

from dataclasses import replace

from configs import stepdiff_7b
from stepdiff_jax.config import Experiment, LoopConfig, OptimizerConfig, Source


def experiment() -> Experiment:
    stepdiff = stepdiff_7b.experiment()
    return replace(
        stepdiff,
        name="interleaved-7b",
        data=replace(stepdiff.data, mixture=(Source("sequences"),), row_videos=15),
        optimizer=OptimizerConfig(steps=20000, peak_rate=1e-4, warmup_steps=600),
        weights=replace(stepdiff.weights, initial_run=""),
        loop=LoopConfig(run_directory="runs/interleaved_7b", evaluate_every=1000),
    )
