"""What a computation costs, as sums that add up over its parts and its loops."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Moved:
    """Collectives of one kind: how many run, the bytes of their results, seconds on the links."""

    operations: int
    bytes: int
    seconds: float

    def __add__(self, other: "Moved") -> "Moved":
        return Moved(
            self.operations + other.operations,
            self.bytes + other.bytes,
            self.seconds + other.seconds,
        )

    def times(self, count: int) -> "Moved":
        return Moved(self.operations * count, self.bytes * count, self.seconds * count)


@dataclass(frozen=True)
class OpenLoop:
    """One iteration of a loop that the program ends by itself, such as when all rows are done.

    name: the path of JAX's operation; source: FILE:LINE; seconds: by the schedule.
    """

    name: str
    source: str
    seconds: float


@dataclass
class Cost:
    """Seconds of one pass over a computation on one chip, by the compiler's schedule.

    seconds: all of it, the sum of the next three.
    compute: instructions that compute, kernels included.
    waits: for collectives that are not hidden behind compute.
    copies: waits for copies between a chip's memories.
    lines: seconds of `compute` and `waits` by (FILE:LINE, operation).
    collectives: by kind.
    kernels: seconds of kernels, which are counted by the FLOPs that they state.
    silent_kernels: how often kernels run that state none, by name; they count as nothing.
    flops: of matrix products.
    open_loops: loops without a known count; one iteration of each is in the sums.
    """

    compute: float = 0.0
    waits: float = 0.0
    copies: float = 0.0
    kernels: float = 0.0
    flops: float = 0.0
    lines: defaultdict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    collectives: dict[str, Moved] = field(default_factory=dict)
    silent_kernels: Counter[str] = field(default_factory=Counter)
    open_loops: tuple[OpenLoop, ...] = ()

    @property
    def seconds(self) -> float:
        return self.compute + self.waits + self.copies

    def add(self, other: "Cost", times: int = 1) -> None:
        """Add the cost of `times` passes over another computation."""
        self.compute += times * other.compute
        self.waits += times * other.waits
        self.copies += times * other.copies
        self.kernels += times * other.kernels
        self.flops += times * other.flops
        for line, seconds in other.lines.items():
            self.lines[line] += times * seconds
        for kind, moved in other.collectives.items():
            self.move(kind, moved.times(times))
        for name, count in other.silent_kernels.items():
            self.silent_kernels[name] += times * count
        self.open_loops += other.open_loops

    def move(self, kind: str, moved: Moved) -> None:
        """Count collectives of a kind."""
        self.collectives[kind] = self.collectives.get(kind, Moved(0, 0, 0.0)) + moved
