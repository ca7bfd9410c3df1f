"""FLOPs of the matrix products in an instruction, from its shapes."""

import math
import re
from collections.abc import Mapping

import numpy as np

from stepdiff_jax.aot.hlo.program import Instruction, Program
from stepdiff_jax.aot.hlo.shapes import arrays

_CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
_LABELS = re.compile(r"dim_labels=(\w+)_(\w+)->(\w+)")
_WINDOW = re.compile(r"window=\{([^}]*)\}")
_DEPTH = 4


def product_flops(
    one: Instruction, around: Mapping[str, Instruction], program: Program, depth: int = 0
) -> float:
    """FLOPs of a dot or convolution, or of those inside a fusion; a multiply-add is two.

    libtpu writes products as convolutions, and their batch dimensions as windows that mostly cover
    padding or gaps: only what falls on data counts (as in XLA's `HloCostAnalysis`).
    """
    if one.opcode == "fusion" and depth < _DEPTH:
        inside = program.inside(one)
        return sum(product_flops(x, inside, program, depth + 1) for x in inside.values())
    if one.opcode not in ("dot", "convolution"):
        return 0.0
    left, right = (arrays(around[name].shape)[0][1] for name in one.operands[:2])
    result = arrays(one.shape)[0][1]
    if one.opcode == "dot":
        contracted = _CONTRACTED.search(one.attributes)
        axes = contracted[1].split(",") if contracted else []
        return 2.0 * math.prod(result) * math.prod(left[int(axis)] for axis in axes if axis)
    return _convolution(one.attributes, left, right, result)


def _convolution(
    attributes: str, left: tuple[int, ...], right: tuple[int, ...], result: tuple[int, ...]
) -> float:
    labels, window = _LABELS.search(attributes), _WINDOW.search(attributes)
    if labels is None:
        return 0.0
    sides = dict(part.split("=") for part in window[1].split()) if window else {}
    axes = [label for label in labels[3] if label.isdigit()]
    flops = 2.0 * result[labels[3].index("b")] * result[labels[3].index("f")]
    flops *= right[labels[2].index("i")]
    for axis in axes:
        flops *= _hits(
            outputs=result[labels[3].index(axis)],
            inputs=left[labels[1].index(axis)],
            size=right[labels[2].index(axis)],
            stride=_of_axis(sides.get("stride"), axis, 1),
            gaps=_of_axis(sides.get("lhs_dilate"), axis, 1),
            spread=_of_axis(sides.get("rhs_dilate"), axis, 1),
            padding=_of_axis(sides.get("pad"), axis, 0),
        )
    return flops


def _of_axis(written: str | None, axis: str, default: int) -> int:
    """One axis of "2x8", or the padding before the data in "0_0x7_7"."""
    return int(written.split("x")[int(axis)].split("_")[0]) if written else default


def _hits(
    *, outputs: int, inputs: int, size: int, stride: int, gaps: int, spread: int, padding: int
) -> int:
    """How often a window's elements fall on data, over all its positions along one axis."""
    places = np.arange(outputs)[:, None] * stride + np.arange(size) * spread - padding
    return int(np.sum((places % gaps == 0) & (places >= 0) & (places < inputs * gaps)))
