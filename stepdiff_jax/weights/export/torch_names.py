"""Our arrays under the names of the exported PyTorch model (`torch_model`), and back.

That model has a `Linear` [outputs, inputs] per matrix and a block per layer; values are only
transposed and reshaped, so converting back yields identical arrays.
"""

from collections.abc import Mapping

import numpy as np

from stepdiff_jax.config import EncoderConfig

RESAMPLER = "resampler."
MATRICES = ("query", "key", "value", "output", "up", "down")
NORMS = ("feature_norm", "latent_norm", "mlp_norm")


def resampler_to_torch(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rename and transpose a checkpoint's trained arrays for the exported model."""
    return {_torch_name(name): _transposed(name, array) for name, array in arrays.items()}


def resampler_from_torch(tensors: Mapping[str, np.ndarray], layers: int) -> dict[str, np.ndarray]:
    """The inverse of `resampler_to_torch`; KeyError names a missing tensor."""
    arrays = {}
    for name in resampler_names(layers):
        arrays[name] = _transposed(name, tensors[_torch_name(name)])
    return arrays


def resampler_names(layers: int) -> list[str]:
    """The names of a resampler's trained arrays in a checkpoint."""
    names = ["time_embedding", "initial_latents", "norm.scale", "norm.bias", "head", "log_scale"]
    for layer in range(layers):
        names += [f"layers.{layer}.{name}" for name in MATRICES]
        names += [f"layers.{layer}.{name}.{part}" for name in NORMS for part in ("scale", "bias")]
    return [RESAMPLER + name for name in names]


def _torch_name(name: str) -> str:
    return name.removesuffix(".scale") + ".weight" * (name.endswith(".scale") or _is_matrix(name))


def _is_matrix(name: str) -> bool:
    return name.split(".")[-1] in (*MATRICES, "head")


def _transposed(name: str, array: np.ndarray) -> np.ndarray:
    return array.T if _is_matrix(name) else array


def encoder_to_torch(
    arrays: Mapping[str, np.ndarray], config: EncoderConfig
) -> dict[str, np.ndarray]:
    """The part of the video tower that produces tokens.

    UniBlocks, projection and text tower are left out: tokens do not need them.

    Args:
        arrays: the encoder's arrays, by dotted name in `nnx.state`.
    """
    patch, width = config.patch_size, config.width
    kernel = arrays["video.patch_kernel"].reshape(patch * patch * 3, width)
    tensors = {
        "encoder.patch_embedding.weight": kernel.T,
        "encoder.class_embedding": arrays["video.class_embedding"],
        "encoder.position_embedding": arrays["video.position_embedding"],
        "encoder.ln_pre.weight": arrays["video.ln_pre.scale"],
        "encoder.ln_pre.bias": arrays["video.ln_pre.bias"],
    }
    upper = len(config.uniblock_layers)
    indices = [("lower", layer) for layer in range(config.layers - upper)]
    indices += [("upper", layer) for layer in range(upper)]
    for number, (part, layer) in enumerate(indices):
        ours, theirs = f"video.{part}.", f"encoder.blocks.{number}."
        for norm in ("ln_1", "ln_2"):
            tensors[f"{theirs}{norm}.weight"] = arrays[f"{ours}{norm}.scale"][layer]
            tensors[f"{theirs}{norm}.bias"] = arrays[f"{ours}{norm}.bias"][layer]
        for name in ("query", "key", "value", "out"):
            kernel = arrays[f"{ours}attention.{name}.kernel"][layer].reshape(width, width)
            tensors[f"{theirs}attention.{name}.weight"] = kernel.T
            tensors[f"{theirs}attention.{name}.bias"] = arrays[f"{ours}attention.{name}.bias"][
                layer
            ].reshape(width)
        for name in ("up", "down"):
            tensors[f"{theirs}mlp.{name}.weight"] = arrays[f"{ours}mlp.{name}.kernel"][layer].T
            tensors[f"{theirs}mlp.{name}.bias"] = arrays[f"{ours}mlp.{name}.bias"][layer]
    return tensors
