"""StepDiff: pairs mixed with interleaved data (paper, section 4); the paper uses Llama-2-chat 70B.

The architecture is the paper's; paths, steps, batch size and mixture are ours, and the learning
rate is VidDetours's (arXiv 2401.01823).
"""

from stepdiff_jax.config import (
    DataConfig,
    Experiment,
    LoopConfig,
    OptimizerConfig,
    Source,
    WeightsConfig,
)
from stepdiff_jax.families.common.find import find_size


def experiment(size: str = "llama2-7b") -> Experiment:
    model = find_size(size)
    return Experiment(
        name=f"stepdiff-{model.label}",
        llama=model.config,
        data=DataConfig(
            directory="datasets/stepdiff",
            validation_split="val_seen",  # HT-Step's name
            mixture=(Source("pairs", 3.0), Source("sequences", 1.0)),
            row_length=1024,
            row_videos=8,
            row_answers=384,
            batch_rows=32,
        ),
        optimizer=OptimizerConfig(steps=5000, peak_rate=3e-5, warmup_steps=150, weight_decay=0.0),
        weights=WeightsConfig(
            llama=model.directory,
            encoder="weights/internvideo-mm-l-14",
            tokenizer=model.tokenizer,
            initial_run=f"runs/interleaved_{model.label}",
        ),
        loop=LoopConfig(run_directory=f"runs/stepdiff_{model.label}", evaluate_every=500),
    )
