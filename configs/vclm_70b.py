"""VCLM with Llama-2-chat 70B: one video and its narration, AnyMAL's stage (arXiv 2309.16058).

The baseline of the paper's Table 1 that sees one video at a time; else as Interleaved.
"""

from dataclasses import replace

from configs import interleaved_70b
from stepdiff_jax.config import Experiment, Source


def experiment() -> Experiment:
    interleaved = interleaved_70b.experiment()
    return replace(
        interleaved,
        name="vclm-70b",
        data=replace(interleaved.data, mixture=(Source("single"),)),
        loop=replace(interleaved.loop, run_directory="runs/vclm_70b"),
    )
