"""Meshes for inference: the language model split by heads, the encoder whole on every device.

A copy of the language model spans `tensor` devices, where its weights stay and activations move;
more devices hold more copies ("data"), each with its own rows. The encoder and the resampler are
small: every device has them whole and takes its own clips. All of it is ours.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

from stepdiff_jax.config import INFERENCE_MESH, Experiment, LlamaConfig, MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.models.variables import held_bits
from stepdiff_jax.sharding import INFERENCE_AXES, make_mesh

WEIGHTS_SHARE = 0.6
"""The language model's share of a device's memory; the rest holds the encoder, keys and values,
and activations."""


class Meshes(NamedTuple):
    """The language model's mesh, and the encoder's and resampler's, over the same devices.

    Axes: `INFERENCE_AXES`. In `vision`, all devices are along "data".
    """

    language: Mesh
    vision: Mesh


def inference_meshes(
    experiment: Experiment,
    config: MeshConfig = INFERENCE_MESH,
    devices: Sequence[jax.Device] | None = None,
    memory: int | None = None,
) -> Meshes:
    """The meshes of an experiment's model over `devices` (all devices by default).

    Args:
        config: devices along "data" and "tensor"; if both are -1, `tensor` is the smallest number
            with which the language model fits.
        memory: bytes per device; by default the device's own figure, if it has one.
    Raises:
        InputError: the model's heads or widths do not divide over `tensor`; or the sizes do not
            match the devices.
    """
    devices = jax.devices() if devices is None else devices
    for axis in ("replica", "fsdp"):
        if getattr(config, axis) != 1:
            raise InputError(
                f"mesh.{axis}: inference keeps the weights in place; use mesh.tensor and mesh.data"
            )
    if config.data == config.tensor == -1:
        tensor = _smallest_tensor(experiment, len(devices), memory or _memory(devices[0]))
        config = replace(config, tensor=tensor)
    placed = make_mesh(config, devices).devices
    tensor = placed.shape[-1]
    check_tensor(experiment.llama, tensor)
    heads = math.gcd(tensor, experiment.llama.kv_heads)
    return Meshes(
        _mesh(placed, (-1, heads, tensor // heads)),
        _mesh(placed, (-1, 1, 1)),
    )


def vision_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The mesh of an encoder on its own: whole on every device (all devices by default)."""
    return _mesh(make_mesh(MeshConfig(data=-1, fsdp=1), devices).devices, (-1, 1, 1))


def check_tensor(llama: LlamaConfig, tensor: int) -> None:
    """Raise InputError if a language model does not divide over `tensor` devices."""
    shared = tensor // math.gcd(tensor, llama.kv_heads)
    for name, size, parts in (
        ("llama.heads", llama.heads, tensor),
        ("llama.heads per llama.kv_heads", llama.heads // llama.kv_heads, shared),
        ("llama.mlp_width", llama.mlp_width, tensor),
    ):
        if size % parts:
            raise InputError(f"mesh.tensor: {tensor} devices do not divide {name}, {size}")


def _mesh(devices: np.ndarray, shape: tuple[int, ...]) -> Mesh:
    # Both meshes must have the devices in one order, as their arrays meet in one program.
    types = (AxisType.Auto,) * len(INFERENCE_AXES)
    return Mesh(devices.reshape(shape), INFERENCE_AXES, axis_types=types)


def _smallest_tensor(experiment: Experiment, devices: int, memory: int | None) -> int:
    """The smallest valid number of devices that hold the language model; the largest if none do."""
    valid = [size for size in range(1, devices + 1) if _divides(experiment.llama, devices, size)]
    if memory is None:
        return valid[0]
    held = held_bits(abstract_model(experiment).llama) / 8
    fitting = [size for size in valid if held / size <= WEIGHTS_SHARE * memory]
    return fitting[0] if fitting else valid[-1]


def _divides(llama: LlamaConfig, devices: int, tensor: int) -> bool:
    if devices % tensor:
        return False
    try:
        check_tensor(llama, tensor)
    except InputError:
        return False
    return True


def _memory(device: jax.Device) -> int | None:
    """Bytes of a device; None if it does not say (CPU)."""
    return (device.memory_stats() or {}).get("bytes_limit")
