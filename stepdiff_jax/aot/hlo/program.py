"""A compiled program's text (`compiled.as_text()`) as computations of instructions.

The grammar is XLA's (`hlo_parser.cc`); only what the estimate needs is read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stepdiff_jax.aot.hlo.sources import frame_lines, location

_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = (.*)$")
_OPCODE = re.compile(r"(?<=[\]})]) ([a-z][a-z0-9\-]*)\(")
_NAME = re.compile(r"%([\w.\-]+)")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_OP_NAME = re.compile(r'op_name="([^"]*)"')


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    shape: of its result, as text; operands: names of instructions; literal: what stands in the
        parentheses (the value of a constant); attributes: everything behind them.
    cycles: the compiler's estimate for one run on one core; 0 if it gives none.
    op_name: the path of JAX's operation, such as "jit(step)/while/body/dot_general".
    source: FILE:LINE of the call that made it; empty if the compiler did.
    """

    name: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    literal: str
    attributes: str
    cycles: int
    op_name: str
    source: str
    root: bool

    def called(self, key: str) -> str | None:
        """The computation that an attribute such as "body" or "calls" names."""
        found = re.search(rf"\b{key}=\{{?%?([\w.\-]+)", self.attributes)
        return found[1] if found else None


Computation = Mapping[str, Instruction]
"""Instructions by name, in the order in which they are scheduled."""


@dataclass(frozen=True)
class Program:
    """All computations by name, and the name of the one that the program starts in."""

    computations: Mapping[str, Computation]
    entry: str

    def inside(self, instruction: Instruction) -> Computation:
        """What a fusion or call runs; empty for other instructions."""
        name = instruction.called("calls") or instruction.called("to_apply")
        return self.computations.get(name or "", {})


def root(computation: Computation) -> Instruction:
    """The instruction whose result is the computation's."""
    return next((one for one in computation.values() if one.root), list(computation.values())[-1])


def read_program(text: str) -> Program:
    """Read a compiled program's text.

    Raises ValueError if it has no entry computation.
    """
    lines = text.splitlines()
    sources = frame_lines(lines)
    computations: dict[str, dict[str, Instruction]] = {}
    entry, current = None, None
    for line in lines:
        # A kernel's text may hold lines that begin with "}": only heads begin a computation.
        if head := _HEAD.match(line):
            current = computations.setdefault(head[2], {})
            entry = head[2] if head[1] else entry
        elif current is not None and (match := _INSTRUCTION.match(line)):
            one = _instruction(match[2], match[3], bool(match[1]), sources)
            current[one.name] = one
    if entry is None:
        raise ValueError("no ENTRY computation: not the text of a compiled program")
    return Program(computations, entry)


def _instruction(name: str, text: str, is_root: bool, sources: Mapping[int, str]) -> Instruction:
    opcode = _OPCODE.search(text)
    if opcode is None:
        return Instruction(name, text, "", (), "", "", 0, "", "", is_root)
    end = _closing(text, opcode.end())
    literal, attributes = text[opcode.end() : end], text[end + 1 :]
    cycles, op_name = _CYCLES.search(attributes), _OP_NAME.search(attributes)
    return Instruction(
        name=name,
        shape=text[: opcode.start()],
        opcode=opcode[1],
        operands=tuple(_NAME.findall(literal)),
        literal=literal,
        attributes=attributes,
        cycles=int(cycles[1]) if cycles else 0,
        op_name=op_name[1] if op_name else "",
        source=location(attributes, sources),
        root=is_root,
    )


def _closing(text: str, start: int) -> int:
    """Index of the parenthesis that closes the one before `start`."""
    depth = 1
    for match in re.compile(r"[()]").finditer(text, start):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.start()
    return len(text)
