"""The programs that `stepdiff aot` compiles, by name: how each is lowered and what its work is."""

from collections.abc import Callable

from stepdiff_jax.aot.inference_programs import (
    prepare_encode,
    prepare_generate,
    prepare_prefill,
    prepare_score,
)
from stepdiff_jax.aot.prepared import Prepared
from stepdiff_jax.aot.topology import topology_devices
from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError
from stepdiff_jax.inference.batch_shape import BatchShape
from stepdiff_jax.sharding import make_mesh
from stepdiff_jax.training.abstract import lower_step
from stepdiff_jax.training.flops import step_flops


def prepare_train(experiment: Experiment, topology: str, shape: BatchShape) -> Prepared:
    """The training step that `stepdiff train` runs; its batch is the experiment's, not `shape`."""
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


Prepare = Callable[[Experiment, str, BatchShape], Prepared]
"""Maps an experiment, a topology and a batch of inference to a program; raises InputError if the
slice is unknown, or the mesh or the batch does not divide over it."""

PROGRAMS: dict[str, Prepare] = {
    "train": prepare_train,
    "encode": prepare_encode,
    "score": prepare_score,
    "prefill": prepare_prefill,
    "generate": prepare_generate,
}
