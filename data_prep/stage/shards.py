"""Parts of a stage, and where they are done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from stepdiff_jax.errors import InputError

RowT = TypeVar("RowT")


class Workers(Protocol):
    """Processes that do the shards of a stage, on this machine or on others."""

    def count(self, records: int) -> int:
        """Number of shards for a stage of this many records."""
        ...

    def run(
        self,
        numbers: Sequence[int],
        count: int,
        is_done: Callable[[int], bool],
        failure: Callable[[int], Path],
    ) -> None:
        """Do shards `numbers` (from 1) of `count`.

        Args:
            is_done: whether a shard is finished, to report progress.
            failure: the file in which a worker says why it could not do a shard.
        Raises:
            InputError: a shard raised one, or workers and this process share no directory.
            OutsideFailure: a shard raised one, or too many workers were lost.
        """
        ...


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `count` of a stage's records, and how it is done.

    Raises InputError if `number` is not from 1 to `count`.
    """

    number: int = 1
    count: int = 1
    retry_quarantined: bool = False
    """Records in the quarantine file are tried again; the others are kept."""
    workers: Workers | None = None
    """Processes among which this part is divided; None: this process does it."""

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise InputError(f"--shard {self.number}/{self.count}: must be i/N with 1 <= i <= N")

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse `i/N`; raises InputError if the text is malformed."""
        number, slash, count = text.partition("/")
        if not (slash and number.isdigit() and count.isdigit()):
            raise InputError(f"--shard {text!r}: must be i/N, such as 1/4")
        return cls(int(number), int(count))

    def path(self, destination: Path, suffix: str) -> Path:
        """The shard's file for a destination `NAME.jsonl`."""
        part = "" if self.count == 1 else f".{self.number}-of-{self.count}"
        return destination.with_name(f"{destination.stem}{part}{suffix}")

    def of(self, rows: Sequence[RowT]) -> Sequence[RowT]:
        """The shard's rows: consecutive ones, so that the shards in order are the whole."""
        first, end = (len(rows) * edge // self.count for edge in (self.number - 1, self.number))
        return rows[first:end]
