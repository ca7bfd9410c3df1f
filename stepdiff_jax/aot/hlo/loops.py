"""How often a while loop runs its body, as far as the program's text says."""

import math
import re

from stepdiff_jax.aot.hlo.program import Computation, Instruction, Program, root

_KNOWN = re.compile(r'known_trip_count"?\s*:\s*\{\s*"?n"?\s*:\s*"?(\d+)')
_INDEX = re.compile(r"\bindex=(\d+)")
_DIRECTION = re.compile(r"\bdirection=(\w+)")
_PASSED_ON = ("copy", "bitcast", "convert", "copy-done", "copy-start")


def trip_count(loop: Instruction, around: Computation, program: Program) -> int | None:
    """Iterations of a while loop; None if the program decides while it runs.

    A counted loop compares one element of its state with a constant and adds a constant to it; what
    it starts from is a constant of the computation around it. A loop that also asks something else
    ("and not all rows are done") is not counted. The step is read, too: libtpu writes two steps of
    a ring into one body.

    Args:
        loop: the while instruction; around: the computation that it stands in.
    """
    known = _KNOWN.search(loop.attributes)
    if known:
        return int(known[1])
    condition = program.computations[loop.called("condition") or ""]
    body = program.computations[loop.called("body") or ""]
    test = root(condition)
    condition, test = _unfused(condition, test, program)
    if test.opcode != "compare" or len(test.operands) != 2:
        return None
    sides = [_resolve(name, condition) for name in test.operands]
    direction = (_DIRECTION.search(test.attributes) or ["", ""])[1]
    if sides[0].opcode == "constant":
        sides.reverse()
        direction = {"GT": "LT", "GE": "LE", "LT": "GT", "LE": "GE"}.get(direction, direction)
    counter, limit = sides
    if limit.opcode == "constant":
        stop = _integer(limit)
    else:
        stop = _initial(limit, loop, around) if _passed_on(limit, body) else None
    start, step = _initial(counter, loop, around), _step(counter, body)
    if stop is None or start is None or step is None:
        return None
    span = {"LT": stop - start, "LE": stop - start + 1, "NE": stop - start}.get(direction)
    if direction in ("GT", "GE"):
        span, step = start - stop + (direction == "GE"), -step
    if span is None or step <= 0:
        return None
    return max(0, math.ceil(span / step))


def _unfused(
    condition: Computation, test: Instruction, program: Program
) -> tuple[Computation, Instruction]:
    """The comparison inside a condition that is one fusion, with the fusion's arguments put in."""
    if test.opcode != "fusion":
        return condition, test
    inner = program.inside(test)
    given = {
        name: condition[test.operands[int(one.literal)]]
        for name, one in inner.items()
        if one.opcode == "parameter"
    }
    # The arguments' own operands are looked up in the condition.
    return {**condition, **inner, **given}, root(inner)


def _resolve(name: str, computation: Computation) -> Instruction:
    """The instruction that a value comes from, seen through copies."""
    one = computation[name]
    while one.opcode in _PASSED_ON and one.operands and one.operands[0] in computation:
        one = computation[one.operands[0]]
    return one


def _integer(constant: Instruction) -> int | None:
    return int(constant.literal) if re.fullmatch(r"-?\d+", constant.literal) else None


def _element(value: Instruction) -> int | None:
    """Which element of the loop's state a value is; None if it is something else."""
    found = _INDEX.search(value.attributes)
    return int(found[1]) if value.opcode == "get-tuple-element" and found else None


def _initial(value: Instruction, loop: Instruction, around: Computation) -> int | None:
    """The constant that an element of the state starts from."""
    element, state = _element(value), _resolve(loop.operands[0], around)
    if element is None or state.opcode != "tuple":
        return None
    first = _resolve(state.operands[element], around)
    return _integer(first) if first.opcode == "constant" else None


def _passed_on(value: Instruction, body: Computation) -> bool:
    """Whether the body leaves an element of the state as it is."""
    element, state = _element(value), root(body)
    if element is None or state.opcode != "tuple":
        return False
    return _element(_resolve(state.operands[element], body)) == element


def _step(value: Instruction, body: Computation) -> int | None:
    """What the body adds to an element of the state."""
    element, state = _element(value), root(body)
    if element is None or state.opcode != "tuple":
        return None
    added = _resolve(state.operands[element], body)
    if added.opcode not in ("add", "subtract") or len(added.operands) != 2:
        return None
    sides = [_resolve(name, body) for name in added.operands]
    constant = next((one for one in sides if one.opcode == "constant"), None)
    counter = next((one for one in sides if _element(one) == element), None)
    if constant is None or counter is None:
        return None
    step = _integer(constant)
    return step if step is None or added.opcode == "add" else -step
