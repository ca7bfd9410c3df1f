"""FLOPs of one training step, counted analytically: XLA counts a loop's body only once.

The convention for a frozen language model of N weights (without the embedding; head at answers
only): 2N per token forward and 2N for the gradient of the activations, 4N in total; frozen weights
have no gradient. If n of the weights are trained, their gradient adds 2n; m adapter weights cost
6m. Rematerialisation adds 2N, counted separately. Attention's own products are included. A
multiply-add is two FLOPs.
"""

from dataclasses import dataclass

from stepdiff_jax.config import EncoderConfig, Experiment, LlamaConfig
from stepdiff_jax.models.llama import matrix_shapes
from stepdiff_jax.trainable import LAST_BLOCKS, is_trained, last_layers


@dataclass(frozen=True)
class StepFlops:
    """FLOPs of one step over the whole mesh, padding included.

    language_model: 4N per token, with the head at answer tokens only; more if parts are trained.
    rematerialisation: the layers' second forward pass; 0 without `llama.remat`.
    encoder: forward pass only; 0 if cached features are read.
    resampler: three times its forward pass, because it is trained.
    """

    language_model: float
    rematerialisation: float
    encoder: float
    resampler: float

    @property
    def useful(self) -> float:
        """All FLOPs except rematerialisation."""
        return self.language_model + self.encoder + self.resampler

    @property
    def total(self) -> float:
        return self.useful + self.rematerialisation


def layer_weights(config: LlamaConfig) -> int:
    """Number of weights in the matrices of one decoder layer."""
    keys = config.kv_heads * config.head_width
    return config.width * (2 * config.width + 2 * keys + 3 * config.mlp_width)


def encoder_flops(config: EncoderConfig) -> float:
    """FLOPs of one video's forward pass up to the tokens: no UniBlocks, no text tower."""
    length = 1 + (config.image_size // config.patch_size) ** 2
    matrices = config.layers * (4 * config.width**2 + 2 * config.width * config.mlp_width)
    attention = config.layers * 2 * length * config.width
    patches = 3 * config.patch_size**2 * config.width
    return config.frames * length * 2.0 * (matrices + attention + patches)


def step_flops(experiment: Experiment) -> StepFlops:
    """FLOPs of the step that `stepdiff train` runs."""
    llama, data = experiment.llama, experiment.data
    tokens = data.batch_rows * data.row_length
    attention = 2 * data.row_length * llama.width
    layers = 2.0 * llama.layers * tokens * (layer_weights(llama) + attention)
    trained, adapters = (2.0 * tokens * count for count in _trained_weights(experiment))
    head = 2.0 * data.batch_rows * data.row_answers * llama.width * llama.vocabulary_size
    videos = data.batch_rows * data.row_videos
    encoded = videos if data.visual_input == "frames" else 0
    head_gradient = head * is_trained(experiment.trainable)("llama.head")
    return StepFlops(
        language_model=2 * (layers + head) + head_gradient + trained + 3 * adapters,
        rematerialisation=layers + adapters if llama.remat else 0.0,
        encoder=encoded * encoder_flops(experiment.encoder),
        resampler=3.0 * videos * resampler_flops(experiment),
    )


def _trained_weights(experiment: Experiment) -> tuple[int, int]:
    """Trained weights of the language model's layers' matrices, and weights of its adapters."""
    llama, patterns = experiment.llama, experiment.trainable
    trained, last = is_trained(patterns), last_layers(patterns, llama.layers)
    matrices = adapters = 0
    for name, ((inputs, outputs), _) in matrix_shapes(llama).items():
        for stack, layers in (("blocks", llama.layers - last), (LAST_BLOCKS, last)):
            if trained(f"llama.{stack}.{name}"):
                matrices += layers * inputs * outputs
        if llama.lora.rank and name in llama.lora.matrices:
            adapters += llama.layers * llama.lora.rank * (inputs + outputs)
    return matrices, adapters


def resampler_flops(experiment: Experiment) -> float:
    """FLOPs of one video's forward pass from the encoder's tokens to latents."""
    config, width = experiment.resampler, experiment.encoder.width
    latents = config.latents
    inner, seen = config.heads * config.head_width, experiment.encoder.tokens + latents
    layer = (
        2 * seen * width * inner  # keys and values
        + 2 * latents * width * inner  # queries and output
        + 2 * latents * seen * inner  # attention
        + 2 * latents * width * config.mlp_width
    )
    return 2.0 * (config.layers * layer + latents * width * experiment.llama.width)
