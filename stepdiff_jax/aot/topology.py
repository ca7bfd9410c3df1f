"""TPU slices by name: their chips, memory and speed, and their devices.

Figures are from Google's documentation of each generation ("TPU v5e", "TPU v5p", "TPU v6e",
"TPU v4" at cloud.google.com/tpu/docs, read 2026-11): HBM and bfloat16 peak per chip.
"""

import os
import re
from dataclasses import dataclass

import jax

from stepdiff_jax.errors import InputError
from stepdiff_jax.training.throughput import PEAKS

GIB = 2**30


@dataclass(frozen=True)
class Chip:
    """One accelerator chip.

    memory: bytes of HBM; peak: bfloat16 FLOPs per second; slices: shapes that `--search` tries,
    smallest first.
    """

    memory: int
    peak: float
    slices: tuple[str, ...]


CHIPS = {
    "v4": Chip(32 * GIB, PEAKS["TPU v4"], ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8")),
    "v5e": Chip(16 * GIB, PEAKS["TPU v5e"], ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")),
    "v5p": Chip(95 * GIB, PEAKS["TPU v5p"], ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8")),
    "v6e": Chip(32 * GIB, PEAKS["TPU v6e"], ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")),
}


def parse_topology(name: str) -> tuple[Chip, int]:
    """The chip and the number of chips of a topology such as "v5p:4x4x4".

    Raises InputError if the name has another form or the generation is unknown.
    """
    match = re.fullmatch(r"(\w+):(\d+(?:x\d+){1,2})", name)
    if match is None or match[1] not in CHIPS:
        raise InputError(
            f"topology {name!r}: must be GENERATION:AxB or GENERATION:AxBxC, such as "
            f"v5p:4x4x4; known generations: {', '.join(CHIPS)}"
        )
    count = 1
    for side in match[2].split("x"):
        count *= int(side)
    return CHIPS[match[1]], count


def use_compiler_only() -> None:
    """Keep JAX from looking for TPUs; must be called before JAX starts a backend."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["TPU_SKIP_MDS_QUERY"] = "1"
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
    jax.config.update("jax_platforms", "cpu")


def topology_devices(name: str) -> list[jax.Device]:
    """The devices of a slice, which need not be attached.

    Raises InputError if libtpu is not installed or does not know the slice.
    """
    from jax.experimental import topologies

    parse_topology(name)
    try:
        description = topologies.get_topology_desc(platform="tpu", topology_name=name)
    except Exception as error:  # libtpu raises nothing more specific for an unknown slice
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InputError(
            f"topology {name!r}: {reason} (for the TPU compiler: `pip install stepdiff-jax[aot]`)"
        ) from error
    return list(description.devices)
