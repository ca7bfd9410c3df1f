"""A vote to stop, with the same result on all processes at the same step."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


class StopVote:
    """Whether any process wants to stop.

    A signal may reach only one process, or each at a different step, but all of them save a
    checkpoint together. So every process votes once per step, and a tiny collective gives all of
    them the same answer.
    """

    def __init__(self, mesh: Mesh):
        """Votes among the processes of `mesh`; a single process decides at once."""
        self._alone = jax.process_count() == 1
        self._sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
        self._any = jax.jit(jnp.any, out_shardings=NamedSharding(mesh, PartitionSpec()))
        self._before: Any = None

    def ask(self, wanted: bool) -> bool:
        """Whether to stop now, the same answer on every process.

        The answer is the result of the previous call's vote; the first call returns its own.
        Reading this call's result would wait for the running step, then leave the devices idle.
        """
        if self._alone:
            return wanted
        shape = (self._sharding.num_devices,)
        votes = jax.make_array_from_callback(shape, self._sharding, lambda _: np.array([wanted]))
        now = self._any(votes)
        answer = now if self._before is None else self._before
        self._before = now
        return bool(answer)
