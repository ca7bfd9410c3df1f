"""The frozen dataclasses of an experiment.

A file in `configs/` builds one `Experiment`; the command line turns every field into a flag.
Sizes are counts, rates are per step, times are seconds unless a field says otherwise.
"""

from dataclasses import dataclass, field
from typing import Literal

from stepdiff_jax.bounds import (
    Devices,
    Epsilon,
    Fraction,
    Frames,
    Heads,
    LayerIndex,
    Layers,
    MlpWidth,
    Momentum,
    NotNegative,
    Pixels,
    Positive,
    Rank,
    ResamplerLayers,
    Rows,
    RowVideos,
    Seconds,
    Seed,
    Steps,
    StepsOrNone,
    Threads,
    Tokens,
    Vocabulary,
    Width,
)

DType = Literal["float32", "bfloat16", "float16"]
"""In which weights are held and computed with."""


@dataclass(frozen=True)
class TextTowerConfig:
    """The text transformer of CLIP and InternVideo."""

    vocabulary_size: Vocabulary = 49408
    context: Tokens = 77
    width: Width = 768
    heads: Heads = 12
    layers: Layers = 12
    mlp_width: MlpWidth = 3072


@dataclass(frozen=True)
class EncoderConfig:
    """InternVideo-MM-L-14; CLIP ViT-L/14 is the special case `uniblock_layers=()`.

    A frame's short side is resized to `resized_side` pixels, then centre-cropped to `image_size`.
    """

    image_size: Pixels = 224
    resized_side: Pixels = 256
    patch_size: Pixels = 14
    frames: Frames = 8
    width: Width = 1024
    heads: Heads = 16
    layers: Layers = 24
    mlp_width: MlpWidth = 4096
    uniblock_layers: tuple[LayerIndex, ...] = (20, 21, 22, 23)
    embedding_width: Width = 768
    text: TextTowerConfig = TextTowerConfig()
    dtype: DType = "bfloat16"

    @property
    def tokens(self) -> int:
        """Tokens of one video: frames x patches (2048 for L/14)."""
        return self.frames * (self.image_size // self.patch_size) ** 2


@dataclass(frozen=True)
class RopeScaling:
    """How rotary frequencies are scaled for long contexts; an empty kind leaves them unchanged.

    "llama3" (Llama-3.1, transformers' `rope_type: llama3`): wavelengths above `original_positions`
    / `low_frequency_factor` become `factor` times as long, those below `original_positions` /
    `high_frequency_factor` are unchanged, and those between are interpolated. Wavelengths and
    positions are in tokens.
    """

    kind: Literal["", "llama3"] = ""
    factor: Positive = 1.0
    low_frequency_factor: Positive = 1.0
    high_frequency_factor: Positive = 4.0
    original_positions: Tokens = 8192


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters on the language model's layers (LoRA, arXiv 2106.09685); rank 0 adds none.

    A product `x @ W` becomes `x @ W + alpha / rank * (x @ A) @ B`. `matrices` names the W: "query",
    "key", "value", "output", "gate", "up", "down"; the default is the LoRA paper's. Adapters are
    trained only if `Experiment.trainable` names them.
    """

    rank: Rank = 0
    alpha: Positive = 16.0
    matrices: tuple[str, ...] = ("query", "value")


@dataclass(frozen=True)
class LlamaConfig:
    """A language model; the defaults are Llama-2 7B. `family` names a file in `families/`."""

    vocabulary_size: Vocabulary = 32000
    width: Width = 4096
    layers: Layers = 32
    heads: Heads = 32
    kv_heads: Heads = 32
    mlp_width: MlpWidth = 11008
    rope_theta: Positive = 10000.0
    norm_epsilon: Epsilon = 1e-5
    tied_embeddings: bool = False
    dtype: DType = "bfloat16"
    remat: bool = True
    quantization: Literal["", "int8", "int4"] = ""
    """How the layers' matrices are stored: in `dtype` (empty), "int8" with a scale per output
    channel, or "int4" with a scale per output channel and 128 inputs.

    Embedding, norms and head stay in `dtype`, in which everything is computed: together they are
    under 1 % of 70B, the embedding is only looked up, and errors of the head would directly affect
    the logits (ours)."""
    family: str = "llama2"
    rope_scaling: RopeScaling = RopeScaling()
    lora: LoraConfig = LoraConfig()

    @property
    def head_width(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True)
class ResamplerConfig:
    """The trained projection M_proj: a Perceiver resampler and a linear head (paper, section 4).

    Two layers and 32 latents are from the paper; heads and MLP width are ours.
    """

    layers: ResamplerLayers = 2
    latents: Tokens = 32
    heads: Heads = 16
    head_width: Width = 64
    mlp_width: MlpWidth = 4096


@dataclass(frozen=True)
class Source:
    """One part of the training mixture: a record set and its weight."""

    name: str
    weight: NotNegative = 1.0


@dataclass(frozen=True)
class DataConfig:
    """Packed training data.

    `directory` holds the output of `stepdiff prep pack`; `mixture` names record sets in it
    ("pairs", "sequences", "single") and their share of the rows. `--data.mixture.NAME WEIGHT` sets
    the weight of one or adds it, and weight 0 leaves it out. A row has `row_length` tokens (visual
    tokens included), and at most `row_videos` videos and `row_answers` answer tokens.
    """

    directory: str = ""
    split: str = "train"
    validation_split: str = "validation"
    """The split of the evaluation during training (`loop.evaluate_every`)."""
    mixture: tuple[Source, ...] = (Source("pairs"),)
    row_length: Tokens = 1024
    row_videos: RowVideos = 4
    row_answers: Tokens = 256
    batch_rows: Rows = 64
    prefetch_threads: Threads = 4
    visual_input: Literal["frames", "features"] = "frames"
    """"frames" encodes online; "features" reads the cache written by `stepdiff prep features`."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The record sets that are read: those of the mixture whose weight is not 0."""
        return tuple(source for source in self.mixture if source.weight)


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW with linear warm-up and cosine decay; all values are ours (the paper states none)."""

    steps: Steps = 2000
    peak_rate: Positive = 1e-4
    warmup_steps: StepsOrNone = 100
    final_fraction: Fraction = 0.05
    b1: Momentum = 0.9
    b2: Momentum = 0.98
    weight_decay: NotNegative = 0.01
    clip_norm: Positive = 1.0


@dataclass(frozen=True)
class WeightsConfig:
    """Where the frozen weights and the tokenizer come from, and where training starts.

    `initial_run` is a run directory whose newest trained weights are the starting point (StepDiff
    starts from Interleaved; paper, section 4); empty: a fresh resampler.
    """

    llama: str = ""
    encoder: str = ""
    tokenizer: str = ""
    initial_run: str = ""


@dataclass(frozen=True)
class MeshConfig:
    """Devices along each mesh axis; -1 means all remaining devices."""

    replica: Devices = 1
    data: Devices = 1
    fsdp: Devices = -1
    tensor: Devices = 1


INFERENCE_MESH = MeshConfig(replica=1, data=-1, fsdp=1, tensor=-1)
"""Chooses `tensor` by the devices' memory (`stepdiff_jax.inference.mesh`)."""


CHECKPOINTS = "checkpoints"
"""Directory of a run's checkpoints, with one subdirectory per step."""


@dataclass(frozen=True)
class LoopConfig:
    """The training loop: the seed, and how often to save and log, in steps."""

    run_directory: str = "runs/experiment"
    seed: Seed = 0
    checkpoint_every: Steps = 100
    keep_checkpoints: Steps = 2
    log_every: Steps = 10
    evaluate_every: StepsOrNone = 0
    """0 disables the evaluation on `data.validation_split` during training."""
    watchdog_seconds: Seconds = 1800
    """The process exits with an error if no step ends for this long; 0 disables this. The first
    step has an extra hour."""
    wandb_project: str = ""
    """Also log to this project of Weights & Biases, which must be installed; empty: do not."""


@dataclass(frozen=True)
class Experiment:
    """A complete training configuration: `stepdiff train CONFIG` runs one."""

    name: str
    encoder: EncoderConfig = EncoderConfig()
    llama: LlamaConfig = LlamaConfig()
    resampler: ResamplerConfig = ResamplerConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    weights: WeightsConfig = WeightsConfig()
    trainable: tuple[str, ...] = ("resampler",)
    """Patterns of the arrays to train, matched against their dotted paths; all others are frozen.

    A pattern is the beginning of a path up to a dot; "*" stands for any characters, and
    "llama.blocks[-2:]" for the last two layers of the language model (`stepdiff_jax.trainable`)."""
    mesh: MeshConfig = MeshConfig()
    loop: LoopConfig = field(default_factory=LoopConfig)
