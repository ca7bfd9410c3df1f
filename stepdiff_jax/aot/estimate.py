"""How long a compiled program takes by the compiler's own schedule, and what it spends it on."""

import dataclasses
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter
from typing import Any

import jax
from jax.sharding import Mesh

from stepdiff_jax.aot.cost import Cost, OpenLoop
from stepdiff_jax.aot.hlo.program import read_program
from stepdiff_jax.aot.links import Links
from stepdiff_jax.aot.schedule import program_cost
from stepdiff_jax.aot.topology import parse_topology, slice_shape

COSTLIEST = 10
"""How many operations are listed."""


@dataclass(frozen=True)
class Interval:
    """Seconds, from and to."""

    low: float
    high: float


@dataclass(frozen=True)
class Collective:
    """All collectives of one kind that one run executes, loops times their trip counts.

    bytes: of their results (what is gathered, or before it is scattered or reduced), per chip;
        seconds: on the links, hidden or not.
    """

    kind: str
    operations: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Operation:
    """All instructions of one operation and one line of Python; seconds of one run."""

    source: str
    operation: str
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """One run of a program by the compiler's schedule, nothing of which was measured.

    schedule_seconds: the compiler's cycles, collectives that are not hidden, and kernels at 45 % of
        peak; compute_seconds, exposed_collective_seconds and exposed_copy_seconds make it up.
    estimated_seconds: the range in which real times lie where they were compared with the schedule;
        None for chips for which nobody has.
    estimated_mfu: useful FLOPs over what the chips' peak allows in `schedule_seconds`.
    kernel_seconds: of `compute_seconds`, Pallas kernels; silent_kernels: how many run that state no
        `cost_estimate`, by name, and so count as nothing.
    product_flops: matrix products of all chips as compiled, loops times their trip counts, without
        kernels.
    open_loops: loops that end by themselves; one iteration is in the sums above.
    collectives: largest first; costliest: the ten operations that take longest.
    """

    schedule_seconds: float
    estimated_seconds: Interval | None
    estimated_mfu: float
    compute_seconds: float
    exposed_collective_seconds: float
    exposed_copy_seconds: float
    kernel_seconds: float
    silent_kernels: dict[str, int]
    product_flops: float
    open_loops: tuple[OpenLoop, ...]
    collectives: tuple[Collective, ...]
    costliest: tuple[Operation, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def estimate(
    compiled: jax.stages.Compiled | None, mesh: Mesh, topology: str, useful: float
) -> Estimate | None:
    """The estimate of a program that was compiled for a slice's devices.

    Args:
        mesh: the mesh it was lowered for, of the devices of `topology`.
        useful: FLOPs of one run over the whole mesh that the estimated utilisation counts.
    Returns:
        the estimate; None without a program, or if it cannot be read back (jaxlib 0.10.2 fails to
        parse its own asynchronous operations for v5p).
    """
    if compiled is None:
        return None
    try:
        text = compiled.as_text()
    except jax.errors.JaxRuntimeError:
        return None
    if not text:
        return None
    shape = slice_shape(topology)
    places = [tuple(device.coords)[: len(shape)] for device in mesh.devices.flat]
    return estimate_text(text, places, topology, useful)


def estimate_text(
    text: str, places: list[tuple[int, ...]], topology: str, useful: float
) -> Estimate:
    """`estimate` of a program's text; `places` are the coordinates of its devices."""
    chip, chips = parse_topology(topology)
    cost = program_cost(read_program(text), Links(chip, slice_shape(topology), places))
    seconds = cost.seconds
    return Estimate(
        schedule_seconds=seconds,
        estimated_seconds=chip.calibration
        and Interval(*(share * seconds for share in chip.calibration)),
        estimated_mfu=useful / (chips * chip.peak * seconds) if seconds else 0.0,
        compute_seconds=cost.compute,
        exposed_collective_seconds=cost.waits,
        exposed_copy_seconds=cost.copies,
        kernel_seconds=cost.kernels,
        silent_kernels=dict(cost.silent_kernels),
        product_flops=chips * cost.flops,
        open_loops=cost.open_loops,
        collectives=_collectives(cost),
        costliest=tuple(
            Operation(source, operation, spent)
            for (source, operation), spent in nlargest(COSTLIEST, cost.lines.items(), itemgetter(1))
            if spent
        ),
    )


def _collectives(cost: Cost) -> tuple[Collective, ...]:
    found = [
        Collective(kind, *dataclasses.astuple(moved)) for kind, moved in cost.collectives.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.bytes))
