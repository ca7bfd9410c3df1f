"""What a compiled program needs: memory per chip, work, time by the compiler's schedule."""

import dataclasses
import re
import time
from dataclasses import dataclass
from typing import Any

import jax

from stepdiff_jax.aot.describe import describe_estimate, seconds
from stepdiff_jax.aot.estimate import Estimate, estimate
from stepdiff_jax.aot.programs import PROGRAMS
from stepdiff_jax.aot.topology import GIB, parse_topology
from stepdiff_jax.config import Experiment
from stepdiff_jax.inference.batch_shape import BatchShape
from stepdiff_jax.training.executable import compile_anew
from stepdiff_jax.training.flops import StepFlops

SHARES_OF_PEAK = (0.4, 0.6)
"""Shares of the chips' peak at which step times are given (published MFUs are in this range)."""


@dataclass(frozen=True)
class Fit:
    """One program on one slice; byte counts are per chip.

    program: its name in `PROGRAMS`; run: what one run of it is.
    fits: whether the program fits in memory, with the weights that stay beside it; if the compiler
        says that it does not, the sizes are None and `reason` is its own message.
    argument_bytes: weights, optimizer and batch; temporary_bytes: everything else;
        peak_bytes: the peak of both together; beside_bytes: weights that this program does not
        take, but others of the same process do.
    tokens, pairs: per run, padding included; a pair is two videos.
    step_seconds: of one run, by share of the chips' peak.
    estimate: time by the compiler's schedule; None if there is no compiled program, or if it
        cannot be read back.
    compile_seconds: on this machine; no test compares it.
    """

    name: str
    program: str
    run: str
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
    beside_bytes: int
    flops: StepFlops
    step_seconds: dict[str, float]
    estimate: Estimate | None
    compile_seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; the estimate's stand beside the others, None if there is none."""
        row = dataclasses.asdict(self)
        row["flops"]["total"] = self.flops.total
        figures = row.pop("estimate") or {}
        return row | {one.name: figures.get(one.name) for one in dataclasses.fields(Estimate)}

    def describe(self) -> str:
        """A readable summary of a few lines."""
        gib = 1 / GIB
        lines = [
            f"{self.name} on {self.topology}: {self.chips} chips, mesh "
            + ", ".join(f"{axis} {size}" for axis, size in self.mesh.items() if size > 1),
            f"{self.program:<9} per {self.run}: {self.rows} rows of {self.row_length} tokens = "
            f"{self.tokens} tokens, {self.pairs} pairs",
        ]
        if self.peak_bytes is None or self.argument_bytes is None or self.temporary_bytes is None:
            lines.append(f"memory    DOES NOT FIT: {self.reason}")
        else:
            beside = f", beside it {self.beside_bytes * gib:.2f}" if self.beside_bytes else ""
            lines.append(
                f"memory    {'fits' if self.fits else 'DOES NOT FIT'}: "
                f"{(self.peak_bytes + self.beside_bytes) * gib:.2f} of "
                f"{self.memory_bytes * gib:.0f} GiB per chip (arguments "
                f"{self.argument_bytes * gib:.2f}, temporary {self.temporary_bytes * gib:.2f}"
                f"{beside})"
            )
        work = self.flops
        lines.append(
            f"work      {work.total:.3g} FLOPs per {self.run}: language model "
            f"{work.language_model:.3g}, remat {work.rematerialisation:.3g}, encoder "
            f"{work.encoder:.3g}, resampler {work.resampler:.3g}"
        )
        times = ", ".join(f"{seconds(s)} at {share}" for share, s in self.step_seconds.items())
        lines.append(f"time      {times} of the chips' peak (arithmetic, not measured)")
        if self.peak_bytes is not None:
            lines += describe_estimate(self.estimate, self.topology.partition(":")[0])
        return "\n".join([*lines, f"compiled in {self.compile_seconds:.0f} s"])


def compile_for(
    experiment: Experiment,
    topology: str,
    program: str = "train",
    shape: BatchShape = BatchShape(),  # noqa: B008  (frozen)
) -> tuple[Fit, jax.stages.Compiled | None]:
    """Compile a program of an experiment for a slice; the executable is None if it does not fit.

    Args:
        program: a name in `PROGRAMS`; shape: the batch of a program of inference.
    Raises:
        InputError: the slice is unknown, or the mesh or the batch does not divide over it.
    """
    chip, chips = parse_topology(topology)
    start = time.monotonic()
    prepared = PROGRAMS[program](experiment, topology, shape)
    compiled, reason, memory = None, "", None
    try:
        compiled = compile_anew(prepared.lowered)
        memory = compiled.memory_analysis()
    except jax.errors.JaxRuntimeError as error:
        reason = out_of_memory(str(error))
        if not reason:
            raise
    flops = prepared.flops
    fit = Fit(
        name=experiment.name,
        program=program,
        run=prepared.run,
        topology=topology,
        chips=chips,
        mesh={axis: int(size) for axis, size in prepared.mesh.shape.items()},
        rows=prepared.rows,
        row_length=prepared.row_length,
        tokens=prepared.rows * prepared.row_length,
        pairs=prepared.pairs,
        memory_bytes=chip.memory,
        fits=memory is not None and memory.peak_memory_in_bytes + prepared.beside <= chip.memory,
        reason=reason,
        argument_bytes=memory and memory.argument_size_in_bytes,
        temporary_bytes=memory and memory.temp_size_in_bytes,
        peak_bytes=memory and memory.peak_memory_in_bytes,
        beside_bytes=prepared.beside,
        flops=flops,
        step_seconds={
            f"{share:.0%}": flops.total / (chips * chip.peak * share) for share in SHARES_OF_PEAK
        },
        estimate=estimate(compiled, prepared.mesh, topology, flops.useful),
        compile_seconds=round(time.monotonic() - start, 1),
    )
    return fit, compiled


def out_of_memory(message: str) -> str:
    """The line of a compiler's error that says what did not fit; empty for other errors."""
    match = re.search(r"Ran out of memory[^\n]*", message)
    return match[0] if match else ""
