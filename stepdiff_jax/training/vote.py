"""One question that all processes of a run answer alike, at the same step."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


class StopVote:
    """Whether any process wants to stop.

    A signal reaches one process, or each at another step; but a checkpoint is saved by all. So
    every process asks once a step, and a tiny collective tells all of them the same.
    """

    def __init__(self, mesh: Mesh):
        """Votes among the processes of `mesh`; a single process decides at once."""
        self._alone = jax.process_count() == 1
        self._sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
        self._any = jax.jit(jnp.any, out_shardings=NamedSharding(mesh, PartitionSpec()))
        self._before: Any = None

    def ask(self, wanted: bool) -> bool:
        """Whether to stop now, the same answer on every process.

        The answer counts the wishes of the call before; the first call counts its own. To read
        this call's would be to wait for the step that runs, and leave the devices idle after it.
        """
        if self._alone:
            return wanted
        shape = (self._sharding.num_devices,)
        votes = jax.make_array_from_callback(shape, self._sharding, lambda _: np.array([wanted]))
        now = self._any(votes)
        answer = now if self._before is None else self._before
        self._before = now
        return bool(answer)
