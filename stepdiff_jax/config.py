"""The frozen dataclasses of an experiment.

A file in `configs/` builds one `Experiment`; the command line turns every field into a flag.
Sizes are counts, rates are per step, times are seconds unless a field says otherwise.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class TextTowerConfig:
    """The text transformer of CLIP and InternVideo."""

    vocabulary_size: int = 49408
    context: int = 77
    width: int = 768
    heads: int = 12
    layers: int = 12
    mlp_width: int = 3072


@dataclass(frozen=True)
class EncoderConfig:
    """InternVideo-MM-L-14; CLIP ViT-L/14 is the special case `uniblock_layers=()`.

    A frame's short side is resized to `resized_side` pixels, then centre-cropped to `image_size`.
    """

    image_size: int = 224
    resized_side: int = 256
    patch_size: int = 14
    frames: int = 8
    width: int = 1024
    heads: int = 16
    layers: int = 24
    mlp_width: int = 4096
    uniblock_layers: tuple[int, ...] = (20, 21, 22, 23)
    embedding_width: int = 768
    text: TextTowerConfig = TextTowerConfig()
    dtype: str = "bfloat16"

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
    factor: float = 1.0
    low_frequency_factor: float = 1.0
    high_frequency_factor: float = 4.0
    original_positions: int = 8192


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters on the language model's layers (LoRA, arXiv 2106.09685); rank 0 adds none.

    A product `x @ W` becomes `x @ W + alpha / rank * (x @ A) @ B`. `matrices` names the W: "query",
    "key", "value", "output", "gate", "up", "down"; the default is the LoRA paper's. Adapters are
    trained only if `Experiment.trainable` names them.
    """

    rank: int = 0
    alpha: float = 16.0
    matrices: tuple[str, ...] = ("query", "value")


@dataclass(frozen=True)
class LlamaConfig:
    """A language model; the defaults are Llama-2 7B. `family` names a file in `families/`."""

    vocabulary_size: int = 32000
    width: int = 4096
    layers: int = 32
    heads: int = 32
    kv_heads: int = 32
    mlp_width: int = 11008
    rope_theta: float = 10000.0
    norm_epsilon: float = 1e-5
    tied_embeddings: bool = False
    dtype: str = "bfloat16"
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

    layers: int = 2
    latents: int = 32
    heads: int = 16
    head_width: int = 64
    mlp_width: int = 4096


@dataclass(frozen=True)
class Source:
    """One part of the training mixture: a record set and its weight."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True)
class DataConfig:
    """Packed training data.

    `directory` holds the output of `stepdiff prep pack`; `mixture` names record sets in it
    ("pairs", "sequences", "single"). A row has `row_length` tokens (visual tokens included), and at
    most `row_videos` videos and `row_answers` answer tokens.
    """

    directory: str = ""
    split: str = "train"
    validation_split: str = "validation"
    """The split of the evaluation during training (`loop.evaluate_every`)."""
    mixture: tuple[Source, ...] = (Source("pairs"),)
    row_length: int = 1024
    row_videos: int = 4
    row_answers: int = 256
    batch_rows: int = 64
    prefetch_threads: int = 4
    visual_input: str = "frames"
    """"frames" encodes online; "features" reads the cache written by `stepdiff prep features`."""


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW with linear warm-up and cosine decay; all values are ours (the paper states none)."""

    steps: int = 2000
    peak_rate: float = 1e-4
    warmup_steps: int = 100
    final_fraction: float = 0.05
    b1: float = 0.9
    b2: float = 0.98
    weight_decay: float = 0.01
    clip_norm: float = 1.0


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

    replica: int = 1
    data: int = 1
    fsdp: int = -1
    tensor: int = 1


@dataclass(frozen=True)
class LoopConfig:
    """The training loop: the seed, and how often to save and log, in steps."""

    run_directory: str = "runs/experiment"
    seed: int = 0
    checkpoint_every: int = 100
    keep_checkpoints: int = 2
    log_every: int = 10
    evaluate_every: int = 0
    """0 disables the evaluation on `data.validation_split` during training."""
    watchdog_seconds: int = 1800
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
