"""What a compiled training step needs: memory per chip, work per step, collectives."""

import dataclasses
import re
import time
from dataclasses import dataclass
from typing import Any

import jax

from stepdiff_jax.aot.collectives import Collective, collectives
from stepdiff_jax.aot.topology import GIB, parse_topology, topology_devices
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.sharding import make_mesh
from stepdiff_jax.training.abstract import lower_step
from stepdiff_jax.training.executable import compile_anew
from stepdiff_jax.training.flops import StepFlops, step_flops

SHARES_OF_PEAK = (0.4, 0.6)
"""Shares of the chips' peak at which step times are given (published MFUs are in this range)."""


@dataclass(frozen=True)
class Fit:
    """One program on one slice; byte counts are per chip.

    fits: whether the program fits in memory; if not, the sizes below are None and `reason` is the
        compiler's own message.
    argument_bytes: weights, optimizer and batch; temporary_bytes: everything else;
        peak_bytes: the peak of both together.
    tokens, pairs: per step, padding included; a pair is two videos.
    collectives: None if the compiled program cannot be read back (jaxlib 0.10.2 fails to parse
        its own asynchronous operations for v5p), or if there is none.
    compile_seconds: on this machine; no test compares it.
    """

    name: str
    topology: str
    chips: int
    mesh: dict[str, int]
    rows: int
    row_length: int
    tokens: int
    pairs: int
    memory_bytes: int
    fits: bool
    reason: str
    argument_bytes: int | None
    temporary_bytes: int | None
    peak_bytes: int | None
    flops: StepFlops
    step_seconds: dict[str, float]
    collectives: tuple[Collective, ...] | None
    compile_seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the total FLOPs added."""
        row = dataclasses.asdict(self)
        row["flops"]["total"] = self.flops.total
        return row

    def describe(self) -> str:
        """A readable summary of a few lines."""
        gib = 1 / GIB
        lines = [
            f"{self.name} on {self.topology}: {self.chips} chips, mesh "
            + ", ".join(f"{axis} {size}" for axis, size in self.mesh.items() if size > 1),
            f"step      {self.rows} rows of {self.row_length} tokens = {self.tokens} tokens, "
            f"{self.pairs} pairs",
        ]
        if self.peak_bytes is None or self.argument_bytes is None or self.temporary_bytes is None:
            lines.append(f"memory    DOES NOT FIT: {self.reason}")
        else:
            lines.append(
                f"memory    fits: {self.peak_bytes * gib:.2f} of "
                f"{self.memory_bytes * gib:.0f} GiB per chip (arguments "
                f"{self.argument_bytes * gib:.2f}, temporary {self.temporary_bytes * gib:.2f})"
            )
        work = self.flops
        lines.append(
            f"work      {work.total:.3g} FLOPs per step: language model {work.language_model:.3g} "
            f"(4N per token), remat {work.rematerialisation:.3g}, encoder {work.encoder:.3g}, "
            f"resampler {work.resampler:.3g}"
        )
        times = ", ".join(f"{s:.2f} s at {share}" for share, s in self.step_seconds.items())
        lines.append(f"time      {times} of the chips' peak (arithmetic, not measured)")
        lines += [
            f"{one.kind:<20} {one.operations:>4} in the program, {one.bytes / 2**20:,.0f} MiB "
            "(a loop's body counts once)"
            for one in self.collectives or ()
        ]
        if self.fits and self.collectives is None:
            lines.append("collectives: unknown, the compiled program cannot be read back")
        return "\n".join([*lines, f"compiled in {self.compile_seconds:.0f} s"])


def compile_for(experiment: Experiment, topology: str) -> tuple[Fit, jax.stages.Compiled | None]:
    """Compile the training step for a slice; the executable is None if it does not fit.

    Raises:
        InputError: the slice is unknown, or the mesh or the batch does not divide over it.
    """
    chip, chips = parse_topology(topology)
    mesh = make_mesh(experiment.mesh, topology_devices(topology))
    start = time.monotonic()
    try:
        lowered = lower_step(experiment, mesh)
    except ValueError as error:
        raise InputError(f"data.batch_rows: {experiment.data.batch_rows}: {error}") from error
    compiled, reason, memory = None, "", None
    try:
        compiled = compile_anew(lowered)
        memory = compiled.memory_analysis()
    except jax.errors.JaxRuntimeError as error:
        reason = out_of_memory(str(error))
        if not reason:
            raise
    flops, data = step_flops(experiment), experiment.data
    tokens = data.batch_rows * data.row_length
    fit = Fit(
        name=experiment.name,
        topology=topology,
        chips=chips,
        mesh={axis: int(size) for axis, size in mesh.shape.items()},
        rows=data.batch_rows,
        row_length=data.row_length,
        tokens=tokens,
        pairs=data.batch_rows * data.row_videos // 2,
        memory_bytes=chip.memory,
        fits=compiled is not None,
        reason=reason,
        argument_bytes=memory and memory.argument_size_in_bytes,
        temporary_bytes=memory and memory.temp_size_in_bytes,
        peak_bytes=memory and memory.peak_memory_in_bytes,
        flops=flops,
        step_seconds={
            f"{share:.0%}": flops.total / (chips * chip.peak * share) for share in SHARES_OF_PEAK
        },
        collectives=_read_collectives(compiled),
        compile_seconds=round(time.monotonic() - start, 1),
    )
    return fit, compiled


def _read_collectives(compiled: jax.stages.Compiled | None) -> tuple[Collective, ...] | None:
    if compiled is None:
        return None
    try:
        return tuple(collectives(compiled.as_text() or ""))
    except jax.errors.JaxRuntimeError:
        return None


def out_of_memory(message: str) -> str:
    """The line of a compiler's error that says what did not fit; empty for other errors."""
    match = re.search(r"Ran out of memory[^\n]*", message)
    return match[0] if match else ""
