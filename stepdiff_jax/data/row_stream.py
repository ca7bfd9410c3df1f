"""The endless stream of packed rows of one record set: epoch after epoch, by index."""

import functools
import sys
import threading
from collections.abc import Sequence

import numpy as np

from stepdiff_jax.data.lengths import record_example
from stepdiff_jax.data.packing import Example, Lengths, RowShape, pack_row, plan_rows
from stepdiff_jax.data.records import TrainingRecord
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.layout import PackedRows

CACHED_EXAMPLES = 8192
"""Number of laid-out records kept in memory, 6 kB each for a pair with three questions."""


class EpochPlans:
    """Row number -> the records of that row, as a pure function of (lengths, shape, seed).

    Every epoch is a new permutation of all records, packed by `plan_rows`; epochs differ in their
    number of rows, so locating a row plans all epochs before it too.
    """

    def __init__(self, lengths: Lengths, shape: RowShape, seed: Sequence[int]):
        self._lengths, self._shape, self._seed = lengths, shape, tuple(seed)
        self._ends: list[int] = []
        self._lock = threading.Lock()
        # The current epoch and the one that prefetching has started.
        self._plan = functools.lru_cache(maxsize=2)(self._plan_epoch)

    def locate(self, row: int) -> tuple[int, int]:
        """The epoch of a row, and the row's index in it."""
        with self._lock:
            while not self._ends or self._ends[-1] <= row:
                planned = len(self._plan(len(self._ends)))
                self._ends.append(planned + (self._ends[-1] if self._ends else 0))
            epoch = int(np.searchsorted(self._ends, row, side="right"))
        return epoch, row - (self._ends[epoch - 1] if epoch else 0)

    def records(self, row: int) -> list[int]:
        """Indices of the records in a row."""
        epoch, index = self.locate(row)
        with self._lock:
            return self._plan(epoch)[index]

    def _plan_epoch(self, epoch: int) -> list[list[int]]:
        rng = np.random.default_rng((*self._seed, epoch))
        return plan_rows(self._lengths, self._shape, rng.permutation(len(self._lengths.length)))


class RowStream:
    """An endless Grain data source of packed rows, (PackedRows [L], clips int32 [videos])."""

    def __init__(
        self,
        records: Sequence[TrainingRecord],
        plans: EpochPlans,
        shape: RowShape,
        tokenizer: Tokenizer,
        latents: int,
    ):
        self._records, self._plans, self._shape = records, plans, shape
        self._tokenizer, self._latents = tokenizer, latents
        self._example = functools.lru_cache(maxsize=CACHED_EXAMPLES)(self._lay_out)

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, row: int) -> tuple[PackedRows, np.ndarray]:
        examples = [self._example(record) for record in self._plans.records(row)]
        return pack_row(examples, self._shape, self._latents)

    def _lay_out(self, record: int) -> Example:
        return record_example(self._records[record], self._tokenizer, self._latents)
