"""StepDiff with Llama-2-chat 7B: pairs, with interleaved data kept (paper, section 4).

The paper gives the architecture; paths, rates, steps, batch and mixture are ours (the rate is
VidDetours's, arXiv 2401.01823).
"""

from stepdiff_jax.config import (
    LLAMA_2_7B,
    DataConfig,
    Experiment,
    LoopConfig,
    OptimizerConfig,
    Source,
    WeightsConfig,
)


def experiment() -> Experiment:
    return Experiment(
        name="stepdiff-7b",
        llama=LLAMA_2_7B,
        data=DataConfig(
            directory="datasets/stepdiff",
            mixture=(Source("pairs", 3.0), Source("sequences", 1.0)),
            row_length=1024,
            row_videos=8,
            row_answers=384,
            batch_rows=32,
        ),
        optimizer=OptimizerConfig(steps=5000, peak_rate=3e-5, warmup_steps=150, weight_decay=0.0),
        weights=WeightsConfig(
            llama="weights/llama-2-7b-chat",
            encoder="weights/internvideo-mm-l-14",
            tokenizer="weights/llama-2-7b-chat/tokenizer.model",
            initial_run="runs/interleaved_7b",
        ),
        loop=LoopConfig(run_directory="runs/stepdiff_7b", evaluate_every=500),
    )
