"""The smallest slice that holds an experiment, and the largest batch on it, found by compiling."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stepdiff_jax.aot.report import Fit, compile_for
from stepdiff_jax.aot.topology import CHIPS, GIB, parse_topology, topology_devices
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.sharding import DATA_AXES, make_mesh
from stepdiff_jax.training.abstract import held_bytes

Compile = Callable[[Experiment, str], Fit]


@dataclass(frozen=True)
class Found:
    """The result of a search.

    smallest: one row per data shard on the smallest slice; largest: the most rows that fit on it.
    """

    smallest: Fit
    largest: Fit

    def to_json(self) -> dict[str, Any]:
        """Both as plain values."""
        return {"smallest": self.smallest.to_json(), "largest": self.largest.to_json()}

    def describe(self) -> str:
        """A readable summary of a few lines."""
        return (
            f"smallest slice: {self.smallest.topology} ({self.smallest.chips} chips); largest "
            f"batch on it: {self.largest.rows} rows\n\n{self.largest.describe()}"
        )


def search(
    experiment: Experiment,
    generation: str,
    log: Callable[[str], None],
    compile: Compile | None = None,
) -> Found:
    """Try the generation's slices, smallest first, then batch sizes on the first that fits.

    Args:
        log: called with one line per attempt.
        compile: compiles for one slice; `compile_for` by default.
    Raises:
        InputError: the generation is unknown, or no slice fits.
    """
    if generation not in CHIPS:
        raise InputError(f"--search {generation!r}: must be one of {', '.join(CHIPS)}")
    compile = compile or (lambda experiment, topology: compile_for(experiment, topology)[0])
    for topology in (f"{generation}:{shape}" for shape in CHIPS[generation].slices):
        try:
            shards = _data_shards(experiment, topology)
            smallest = compile(with_rows(experiment, shards), topology)
        except InputError as error:
            log(f"{topology}: {error}")
            continue
        log(_line(smallest))
        if smallest.fits:
            return Found(smallest, largest_batch(experiment, smallest, shards, compile, log))
    raise InputError(f"--search {generation}: {experiment.name} fits none of its slices")


def largest_batch(
    experiment: Experiment,
    smallest: Fit,
    shards: int,
    compile: Compile,
    log: Callable[[str], None],
) -> Fit:
    """The fit with the most rows per data shard on the slice of `smallest`, which has one.

    Memory grows roughly linearly with rows, so the next attempt extrapolates from the last two
    fits. Every attempt is compiled, and the search ends when one more row does not fit.
    """
    fits, limit = [(1, smallest)], None
    while limit is None or limit - fits[-1][0] > 1:
        rows = _next_rows(fits, limit)
        fit = compile(with_rows(experiment, rows * shards), smallest.topology)
        log(_line(fit))
        if fit.fits:
            fits.append((rows, fit))
        else:
            limit = rows
    return fits[-1][1]


def with_rows(experiment: Experiment, rows: int) -> Experiment:
    return dataclasses.replace(
        experiment, data=dataclasses.replace(experiment.data, batch_rows=rows)
    )


def _next_rows(fits: list[tuple[int, Fit]], limit: int | None) -> int:
    """The next number of rows to try: more than last fitted, fewer than `limit`."""
    (rows, fit) = fits[-1]
    if limit is None and len(fits) == 1:
        return 2 * rows
    guess = rows + 1
    if len(fits) > 1:
        before, smaller = fits[-2]
        slope = ((fit.peak_bytes or 0) - (smaller.peak_bytes or 0)) / (rows - before)
        if slope > 0:
            guess = rows + int((fit.memory_bytes - (fit.peak_bytes or 0)) / slope)
    guess = max(rows + 1, min(guess, 8 * rows))
    return guess if limit is None else min(guess, limit - 1)


def _data_shards(experiment: Experiment, topology: str) -> int:
    """Data shards of the slice's mesh; raises InputError if the weights alone do not fit."""
    chip, _ = parse_topology(topology)
    mesh = make_mesh(experiment.mesh, topology_devices(topology))
    held = held_bytes(experiment, mesh)
    if held > chip.memory:
        raise InputError(
            f"weights and optimizer alone need {held / GIB:.1f} of "
            f"{chip.memory / GIB:.0f} GiB per chip"
        )
    shards = 1
    for axis in DATA_AXES:
        shards *= mesh.shape[axis]
    return shards


def _line(fit: Fit) -> str:
    if fit.peak_bytes is None:
        return f"{fit.topology}, {fit.rows} rows: does not fit ({fit.compile_seconds:.0f} s)"
    return (
        f"{fit.topology}, {fit.rows} rows: fits, {fit.peak_bytes / GIB:.2f} of "
        f"{fit.memory_bytes / GIB:.0f} GiB ({fit.compile_seconds:.0f} s)"
    )
