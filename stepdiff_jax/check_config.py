"""What can be wrong with an experiment by its fields alone, without files or devices."""

from stepdiff_jax.bounds import check_bounds
from stepdiff_jax.config import DataConfig, EncoderConfig, Experiment, LlamaConfig, MeshConfig
from stepdiff_jax.errors import InputError


def check_config(experiment: Experiment) -> None:
    """Check the range of every number, and numbers that depend on each other.

    Raises:
        InputError: a value is wrong; one line with the field's name and its value.
    """
    check_bounds(experiment)
    check_encoder(experiment.encoder)
    _check_llama(experiment.llama)
    _check_data(experiment.data, experiment.resampler.latents)
    _check_mesh(experiment.mesh)
    optimizer = experiment.optimizer
    if optimizer.warmup_steps >= optimizer.steps:
        raise InputError(
            f"optimizer.warmup_steps must be less than optimizer.steps ({optimizer.steps}), got "
            f"{optimizer.warmup_steps}"
        )


def check_mixture(data: DataConfig) -> None:
    """Raise InputError unless the sources differ, and their weights have a positive sum."""
    if not data.sources or min(source.weight for source in data.mixture) < 0:
        raise InputError(f"data.mixture needs sources of positive weight, got {data.mixture}")
    names = [source.name for source in data.mixture]
    if len(set(names)) < len(names):
        raise InputError(f"data.mixture names a source twice: {names}")


def check_encoder(encoder: EncoderConfig) -> None:
    """Raise InputError if sizes contradict each other or UniBlocks are not at the last blocks."""
    if encoder.image_size % encoder.patch_size:
        raise InputError(
            f"encoder.image_size {encoder.image_size} is not a multiple of encoder.patch_size "
            f"{encoder.patch_size}"
        )
    if encoder.resized_side < encoder.image_size:
        raise InputError(
            f"encoder.image_size {encoder.image_size} is larger than encoder.resized_side "
            f"{encoder.resized_side}, from which it is cut; CLIP's is 8/7 of it: "
            f"--encoder.resized-side {encoder.image_size * 8 // 7}"
        )
    for name, tower in (("encoder", encoder), ("encoder.text", encoder.text)):
        if tower.width % tower.heads:
            raise InputError(
                f"{name}.width {tower.width} is not a multiple of {name}.heads {tower.heads}"
            )
    last = tuple(range(encoder.layers - len(encoder.uniblock_layers), encoder.layers))
    if encoder.uniblock_layers != last:
        raise InputError(
            f"encoder.uniblock_layers {encoder.uniblock_layers} must be the last blocks of "
            f"{encoder.layers}, in order"
        )


def _check_llama(llama: LlamaConfig) -> None:
    if llama.width % llama.heads or llama.head_width % 2:
        raise InputError(
            f"llama.width must be llama.heads ({llama.heads}) times an even number, got "
            f"{llama.width}"
        )
    if llama.heads % llama.kv_heads:
        raise InputError(
            f"llama.heads {llama.heads} is not a multiple of llama.kv_heads {llama.kv_heads}"
        )


def _check_data(data: DataConfig, latents: int) -> None:
    check_mixture(data)
    if data.row_answers > data.row_length:
        raise InputError(
            f"data.row_answers must be at most data.row_length ({data.row_length}), got "
            f"{data.row_answers}"
        )
    if latents >= data.row_length:
        raise InputError(
            f"data.row_length must exceed resampler.latents ({latents}), got {data.row_length}"
        )


def _check_mesh(mesh: MeshConfig) -> None:
    for axis, size in vars(mesh).items():
        if size == 0:
            raise InputError(
                f"mesh.{axis} must be positive, or -1 for all remaining devices, got {size}"
            )
