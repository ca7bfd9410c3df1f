"""TPU slices by name: their chips, memory and speed, and their devices.

Figures are from Google's documentation of each generation ("TPU v5e", "TPU v5p", "TPU v6e",
"TPU v4" at cloud.google.com/tpu/docs, read 2026-11): HBM and bfloat16 peak per chip; of the links
from "How to Scale Your Model" (jax-ml.github.io/scaling-book, chapter 2). Clocks are ours: the peak
over the FLOPs of one cycle, which the compiler's estimates for matrix products show (v5e 131,072,
v4 and v5p 262,144, v6e 524,288).
"""

import os
import re
from dataclasses import dataclass
from math import prod

import jax

from stepdiff_jax.errors import InputError
from stepdiff_jax.training.throughput import PEAKS

GIB = 2**30


@dataclass(frozen=True)
class Chip:
    """One accelerator chip.

    memory: bytes of HBM; bandwidth: of HBM, bytes per second; peak: bfloat16 FLOPs per second.
    clock: cycles per second, in which the compiler estimates.
    link: bytes per second of one link to a neighbour, in one direction.
    closed: along how many chips an axis of a slice is a ring. Where a chip has six links, axes are
        rings of any multiple of it, in slices that are multiples of it along all three.
    calibration: real time over the compiler's, from and to; None if nobody has compared them.
    slices: shapes that `--search` tries, smallest first.
    """

    memory: int
    bandwidth: float
    peak: float
    clock: float
    link: float
    closed: int
    calibration: tuple[float, float] | None
    slices: tuple[str, ...]

    def closes(self, shape: tuple[int, ...], axis: int) -> bool:
        """Whether an axis of a slice is a ring: its last chip is linked to its first."""
        if len(shape) == 3:
            return all(side % self.closed == 0 for side in shape)
        return shape[axis] == self.closed


FLAT = ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")
CUBES = ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8")
CALIBRATED = (0.78, 0.95)
"""Step times that MaxText published over the compiler's for the same steps; `docs/scaling.md`."""

CHIPS = {
    "v4": Chip(32 * GIB, 1228e9, PEAKS["TPU v4"], 1.05e9, 45e9, 4, None, CUBES),
    "v5e": Chip(16 * GIB, 819e9, PEAKS["TPU v5e"], 1.5e9, 45e9, 16, CALIBRATED, FLAT),
    "v5p": Chip(95 * GIB, 2765e9, PEAKS["TPU v5p"], 1.75e9, 90e9, 4, CALIBRATED, CUBES),
    "v6e": Chip(32 * GIB, 1640e9, PEAKS["TPU v6e"], 1.75e9, 90e9, 16, None, FLAT),
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
    return CHIPS[match[1]], prod(slice_shape(name))


def slice_shape(topology: str) -> tuple[int, ...]:
    """Chips along each axis of a topology that `parse_topology` accepts."""
    return tuple(int(side) for side in topology.partition(":")[2].split("x"))


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
