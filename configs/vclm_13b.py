"""VCLM with Llama-2-chat 13B: one video and its narration, AnyMAL's stage (arXiv 2309.16058).

The baseline of the paper's Table 1 that sees one video at a time; else as Interleaved.
"""

from dataclasses import replace

from configs import interleaved_13b
from stepdiff_jax.config import Experiment, Source


def experiment() -> Experiment:
    interleaved = interleaved_13b.experiment()
    return replace(
        interleaved,
        name="vclm-13b",
        data=replace(interleaved.data, mixture=(Source("single"),)),
        loop=replace(interleaved.loop, run_directory="runs/vclm_13b"),
    )
