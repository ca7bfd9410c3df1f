"""Shapes as HLO writes them: `bf16[8,16]{1,0}`, or several in parentheses."""

import math
import re

BYTES = {
    "pred": 1, "s4": 0.5, "u4": 0.5, "s8": 1, "u8": 1, "f8e4m3fn": 1, "f8e5m2": 1, "s16": 2,
    "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8,
}  # fmt: skip
"""Bytes of one element by HLO's name of its type; what is not here (tokens) holds no data."""

_ARRAY = re.compile(r"\b([a-z]\w*)\[([\d,]*)\]")


def arrays(shape: str) -> list[tuple[str, tuple[int, ...]]]:
    """The arrays of a shape, in order: type and dimensions of each."""
    return [
        (dtype, tuple(int(side) for side in sides.split(",") if side))
        for dtype, sides in _ARRAY.findall(shape)
        if dtype in BYTES
    ]


def array_bytes(shape: str) -> list[int]:
    """Bytes of each array of a shape."""
    return [int(math.prod(sides) * BYTES[dtype]) for dtype, sides in arrays(shape)]
