"""The whole recipe on the rendered kitchen, for two CPU cores; every value is ours.

`experiment` is StepDiff, which starts from the weights of `interleaved`. `single` is the
AnyMAL-style baseline on single videos. `kitchen@small` has the smaller stand-in language model.
"""

from dataclasses import replace

from data_prep.kitchen import stand_ins
from stepdiff_jax.config import (
    DataConfig,
    Experiment,
    LoopConfig,
    OptimizerConfig,
    ResamplerConfig,
    Source,
    WeightsConfig,
)

RUNS = "runs/quickstart"
SIZES = tuple(stand_ins.LLAMAS)
WEIGHTS = WeightsConfig(
    llama=str(stand_ins.DIRECTORY / "language_model.safetensors"),
    encoder=str(stand_ins.DIRECTORY / "encoder.safetensors"),
    tokenizer=str(stand_ins.DIRECTORY / "tokenizer.model"),
)


def experiment(
    size: stand_ins.Size = "base",
    *,
    runs: str = RUNS,
    seed: int = 0,
    steps: int = 900,
    initial: str | None = None,
) -> Experiment:
    """StepDiff: pairs, mixed with a quarter of interleaved rows (section 4)."""
    if initial is None:
        initial = interleaved(size, runs=runs, seed=seed).loop.run_directory
    return _experiment(
        "stepdiff",
        size,
        (Source("pairs", 3.0), Source("sequences", 1.0)),
        OptimizerConfig(steps=steps, peak_rate=1.5e-3, warmup_steps=min(30, steps // 5)),
        runs,
        seed,
        initial=initial,
    )


def interleaved(
    size: stand_ins.Size = "base", *, runs: str = RUNS, seed: int = 0, steps: int = 250
) -> Experiment:
    """Interleaved: sequences of (video, ASR)."""
    return _experiment(
        "interleaved",
        size,
        (Source("sequences"),),
        OptimizerConfig(steps=steps, peak_rate=2e-3, warmup_steps=min(30, steps // 5)),
        runs,
        seed,
    )


def single(
    size: stand_ins.Size = "base", *, runs: str = RUNS, seed: int = 0, steps: int = 250
) -> Experiment:
    """VCLM: one video and its narration (AnyMAL's stage, arXiv 2309.16058)."""
    return _experiment(
        "single",
        size,
        (Source("single"),),
        OptimizerConfig(steps=steps, peak_rate=2e-3, warmup_steps=min(30, steps // 5)),
        runs,
        seed,
    )


def _experiment(
    name: str,
    size: stand_ins.Size,
    mixture: tuple[Source, ...],
    optimizer: OptimizerConfig,
    runs: str,
    seed: int,
    initial: str = "",
) -> Experiment:
    label = name if size == "base" else f"{name}-{size}"
    return Experiment(
        name=f"kitchen-{label}",
        encoder=stand_ins.ENCODER,
        llama=stand_ins.LLAMAS[size],
        resampler=ResamplerConfig(layers=2, latents=16, heads=4, head_width=32, mlp_width=256),
        data=DataConfig(
            directory=f"{runs}/data",
            mixture=mixture,
            row_length=256,
            row_videos=3,
            row_answers=224,
            batch_rows=16,
            prefetch_threads=1,
            visual_input="features",
        ),
        optimizer=optimizer,
        weights=replace(
            WEIGHTS,
            llama=str(stand_ins.DIRECTORY / stand_ins.language_model_file(size)),
            initial_run=initial,
        ),
        loop=LoopConfig(
            run_directory=f"{runs}/{label}/seed{seed}",
            seed=seed,
            checkpoint_every=100,
            keep_checkpoints=1,
            log_every=10,
        ),
    )
