"""Interleaved (video, ASR) sequences: the stage before StepDiff (paper, section 4).

Steps and learning rate are AnyMAL's (arXiv 2309.16058); paths, batch size and row shape are ours.
"""

from dataclasses import replace

from configs import stepdiff
from stepdiff_jax.config import Experiment, LoopConfig, OptimizerConfig, Source
from stepdiff_jax.families.common.find import find_size


def experiment(size: str = "llama2-7b") -> Experiment:
    last, label = stepdiff.experiment(size), find_size(size).label
    return replace(
        last,
        name=f"interleaved-{label}",
        data=replace(last.data, mixture=(Source("sequences"),), row_videos=15),
        optimizer=OptimizerConfig(steps=20000, peak_rate=1e-4, warmup_steps=600),
        weights=replace(last.weights, initial_run=""),
        loop=LoopConfig(run_directory=f"runs/interleaved_{label}", evaluate_every=1000),
    )
