"""A program that is ready to be compiled for a slice."""

from dataclasses import dataclass

import jax
from jax.sharding import Mesh

from stepdiff_jax.training.flops import StepFlops


@dataclass(frozen=True)
class Prepared:
    """A lowered program and its work.

    mesh: what it is lowered for; run: what one run of it is, such as "step".
    rows, row_length, pairs: of one run; a pair is two videos.
    flops: of one run over the whole mesh; of a loop that ends by itself, one iteration.
    beside: bytes of weights on each chip that the program does not take, but others do.
    """

    lowered: jax.stages.Lowered
    mesh: Mesh
    run: str
    rows: int
    row_length: int
    pairs: int
    flops: StepFlops
    beside: int = 0
