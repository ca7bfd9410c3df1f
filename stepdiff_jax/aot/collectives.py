"""Which collectives a compiled program runs, and how many bytes each moves."""

import re
from collections import defaultdict
from dataclasses import dataclass

KINDS = ("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute")
BYTES = {
    "pred": 1, "s4": 0.5, "u4": 0.5, "s8": 1, "u8": 1, "f8e4m3fn": 1, "s16": 2, "u16": 2,
    "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8,
}  # fmt: skip
_OPERATION = re.compile(rf"= (.+?) ({'|'.join(KINDS)})(?:-start)?\(")
_SHAPE = re.compile(r"\b(\w+)\[([\d,]*)\]")


@dataclass(frozen=True)
class Collective:
    """All operations of one kind: their number in the program, and the bytes of their results.

    A loop's body counts once, however many iterations it runs.
    """

    kind: str
    operations: int
    bytes: int


def collectives(program: str) -> list[Collective]:
    """The collectives in a compiled program's text (`compiled.as_text()`), largest first."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in program.splitlines():
        match = _OPERATION.search(line)
        if match is not None:
            # A "-start" returns its operand and its result; the larger one is what is moved.
            sizes = [_size(*shape) for shape in _SHAPE.findall(match[1])]
            found[match[2]].append(max(sizes, default=0))
    ordered = sorted(found.items(), key=lambda item: -sum(item[1]))
    return [Collective(kind, len(sizes), int(sum(sizes))) for kind, sizes in ordered]


def _size(dtype: str, shape: str) -> float:
    count = 1
    for side in filter(None, shape.split(",")):
        count *= int(side)
    return count * BYTES.get(dtype, 0)
