"""Which instructions move data: collectives between chips, and copies within a chip's memory.

libtpu writes a collective as an instruction of its kind, as a pair "-start" and "-done", or inside
fusions: one that starts it, some that compute and carry it on, one that waits for it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stepdiff_jax.aot.hlo.program import Instruction, Program
from stepdiff_jax.aot.hlo.shapes import array_bytes

COLLECTIVES = (
    "all-gather", "all-reduce", "reduce-scatter", "all-to-all", "ragged-all-to-all",
    "collective-permute", "collective-broadcast",
)  # fmt: skip
COPIES = ("copy-start", "slice-start", "dynamic-slice-start", "dynamic-update-slice-start")

Role = Literal["whole", "start", "part", "done"]

_ASYNC: dict[str, Role] = {"async-start": "start", "async-update": "part", "async-done": "done"}
_CHANNEL = re.compile(r"\bchannel_id=(\d+)")
_DEPTH = 4
"""How deep calls inside a fusion are followed."""


@dataclass(frozen=True)
class Transfer:
    """What one instruction does for one collective.

    kind: one of COLLECTIVES.
    bytes: of the largest array: gathered, before it is scattered, reduced or sent.
    role: "whole" if it waits for it; otherwise a later instruction of the same key does.
    key: the same for all instructions of one collective.
    attributes: of the collective, with its groups.
    """

    kind: str
    bytes: int
    role: Role
    key: str
    attributes: str


def transfer(one: Instruction, program: Program) -> Transfer | None:
    """The collective that an instruction is, starts, carries on or waits for, if any."""
    kind, role = _split(one.opcode)
    if kind in COLLECTIVES:
        key = one.operands[0] if role == "done" else one.name
        return Transfer(kind, _moved(one, kind), role, key, one.attributes)
    inside = list(_inside(one, program, 0))
    inner = next((x for x in inside if _split(x.opcode)[0] in COLLECTIVES), None)
    if inner is None:
        return None
    kind = _split(inner.opcode)[0]
    if kind == "all-reduce" and any(x.opcode == "dynamic-slice" for x in inside):
        kind = "reduce-scatter"  # libtpu's fusion of the two
    channel = _CHANNEL.search(inner.attributes)
    key = f"channel {channel[1]}" if channel else inner.name
    role = _ASYNC.get(one.opcode) or _fused_role(one, inside)
    return Transfer(kind, _moved(inner, inner.opcode), role, key, inner.attributes)


def copied_bytes(one: Instruction) -> int:
    """Bytes that an asynchronous copy moves between a chip's memories; 0 for other instructions.

    Its shape is the target, the source (for slices the whole of it) and a semaphore.
    """
    if one.opcode not in COPIES:
        return 0
    return min((size for size in array_bytes(one.shape)[:2]), default=0)


def _split(opcode: str) -> tuple[str, Role]:
    if opcode.endswith("-start"):
        return opcode.removesuffix("-start"), "start"
    if opcode.endswith("-done"):
        return opcode.removesuffix("-done"), "done"
    return opcode, "whole"


def _moved(collective: Instruction, kind: str) -> int:
    sizes = array_bytes(collective.shape)
    if collective.opcode.endswith(("-start", "-done")):
        return max(sizes, default=0)  # operand and result in one shape
    return sum(sizes)


def _fused_role(fusion: Instruction, inside: list[Instruction]) -> Role:
    targets = "".join(x.attributes for x in inside if x.opcode == "custom-call")
    if "AsyncCollectiveStart" in targets:
        return "start"
    if "AsyncCollectiveDone" in targets:
        return "done"
    return "part" if "continuation_config" in fusion.attributes else "whole"


def _inside(one: Instruction, program: Program, depth: int) -> Iterator[Instruction]:
    """Instructions that a fusion, an asynchronous call or a custom call runs."""
    if depth == _DEPTH or one.opcode in ("while", "conditional", "call"):
        return
    for key in ("calls", "called_computations"):
        for inner in program.computations.get(one.called(key) or "", {}).values():
            yield inner
            yield from _inside(inner, program, depth + 1)
