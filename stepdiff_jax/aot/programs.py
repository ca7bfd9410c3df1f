"""The programs that `stepdiff aot` compiles, by name: how each is lowered and what its work is."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
from jax.sharding import Mesh

from stepdiff_jax.aot.topology import topology_devices
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.sharding import make_mesh
from stepdiff_jax.training.abstract import lower_step
from stepdiff_jax.training.flops import StepFlops, step_flops


@dataclass(frozen=True)
class Prepared:
    """A program that is ready to be compiled for a slice.

    mesh: what it is lowered for; run: what one run of it is, such as "step".
    rows, row_length, pairs: of one run; a pair is two videos.
    flops: of one run over the whole mesh; of a loop that ends by itself, one iteration.
    """

    lowered: jax.stages.Lowered
    mesh: Mesh
    run: str
    rows: int
    row_length: int
    pairs: int
    flops: StepFlops


Prepare = Callable[[Experiment, str], Prepared]
"""Maps an experiment and a topology to a program; raises InputError if they do not fit together."""


def prepare_train(experiment: Experiment, topology: str) -> Prepared:
    """The training step that `stepdiff train` runs.

    Raises InputError: the slice is unknown, or the mesh or the batch does not divide over it.
    """
    data, mesh = experiment.data, make_mesh(experiment.mesh, topology_devices(topology))
    try:
        lowered = lower_step(experiment, mesh)
    except ValueError as error:
        raise InputError(f"data.batch_rows: {data.batch_rows}: {error}") from error
    return Prepared(
        lowered=lowered,
        mesh=mesh,
        run="step",
        rows=data.batch_rows,
        row_length=data.row_length,
        pairs=data.batch_rows * data.row_videos // 2,
        flops=step_flops(experiment),
    )


PROGRAMS: dict[str, Prepare] = {"train": prepare_train}
