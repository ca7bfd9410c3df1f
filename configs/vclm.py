"""VCLM: one video and its narration, AnyMAL's stage (arXiv 2309.16058).

The single-video baseline of the paper's Table 1; otherwise the same as Interleaved.
"""

from dataclasses import replace

from configs import interleaved
from stepdiff_jax.config import Experiment, Source
from stepdiff_jax.families.common.find import find_size


def experiment(size: str = "llama2-7b") -> Experiment:
    several, label = interleaved.experiment(size), find_size(size).label
    return replace(
        several,
        name=f"vclm-{label}",
        data=replace(several.data, mixture=(Source("single"),)),
        loop=replace(several.loop, run_directory=f"runs/vclm_{label}"),
    )
