"""The time of a compiled program by the compiler's own schedule.

libtpu writes estimated cycles to the instructions of the optimized program, which are in the order
in which they run; loops repeat their bodies. Three things run side by side:

- the core: instructions with cycles, and kernels by their FLOPs;
- the links: a collective that is started runs beside the core, its end waits for it;
- copies from HBM to the core's memory and back, likewise.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stepdiff_jax.aot.cost import Cost, Moved, OpenLoop
from stepdiff_jax.aot.hlo.groups import first_group
from stepdiff_jax.aot.hlo.loops import trip_count
from stepdiff_jax.aot.hlo.products import product_flops
from stepdiff_jax.aot.hlo.program import Computation, Instruction, Program
from stepdiff_jax.aot.hlo.transfers import Transfer, copied_bytes, transfer
from stepdiff_jax.aot.links import Links

KERNEL_SHARE = 0.45
"""Share of peak at which kernels are counted: libtpu gives them no cycles (measured of a few)."""

_KERNEL_FLOPS = re.compile(r'"cost_estimate":\{[^}]*"flops":"?(\d+)')
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")


@dataclass
class _Clocks:
    """Seconds since a computation began: of the core, and until links and copies are free."""

    now: float = 0.0
    links: float = 0.0
    copies: float = 0.0


def program_cost(program: Program, links: Links) -> Cost:
    """The cost of one run of a program on each chip of a slice."""
    return _Walk(program, links).cost(program.entry)


class _Walk:
    def __init__(self, program: Program, links: Links):
        self._program, self._links = program, links
        self._known: dict[str, Cost] = {}

    def cost(self, name: str) -> Cost:
        """The cost of one pass over a computation."""
        if name not in self._known:
            self._known[name] = self._walked(self._program.computations[name])
        return self._known[name]

    def _walked(self, computation: Computation) -> Cost:
        cost, clocks = Cost(), _Clocks()
        started: dict[str, float] = {}  # when what a key's instructions started is over
        copied: dict[str, float] = {}
        for one in computation.values():
            if one.opcode == "while":
                inner, times = self._loop(one, computation)
                _whole(cost, clocks, inner, times)
            elif branches := self._branches(one):
                _whole(cost, clocks, max(branches, key=lambda branch: branch.seconds), 1)
            elif found := transfer(one, self._program):
                self._transfer(one, found, cost, clocks, started)
            elif size := copied_bytes(one):
                rate = self._links.chip.bandwidth
                clocks.copies = max(clocks.now, clocks.copies) + size / rate
                copied[one.name] = clocks.copies
            elif one.operands and one.operands[0] in copied:
                waited = max(0.0, copied.pop(one.operands[0]) - clocks.now)
                cost.copies += waited
                clocks.now += waited
            self._compute(one, computation, cost, clocks)
        # What is still under way when a loop's body ends belongs to it.
        cost.waits += max(0.0, clocks.links - clocks.now)
        return cost

    def _loop(self, loop: Instruction, around: Computation) -> tuple[Cost, int]:
        body = Cost()
        for key in ("condition", "body"):
            body.add(self.cost(loop.called(key) or ""))
        times = trip_count(loop, around, self._program)
        if times is None:
            body.open_loops += (OpenLoop(loop.op_name, loop.source, body.seconds),)
        return body, 1 if times is None else times

    def _branches(self, one: Instruction) -> list[Cost]:
        """Costs of the computations of which an instruction runs one."""
        if one.opcode == "call":
            names: Sequence[str | None] = [one.called("to_apply")]
        elif one.opcode == "conditional":
            listed = _BRANCHES.search(one.attributes)
            names = re.findall(r"%?([\w.\-]+)", listed[1]) if listed else []
            names = names or [one.called("true_computation"), one.called("false_computation")]
        else:
            return []
        return [self.cost(name) for name in names if name]

    def _transfer(
        self,
        one: Instruction,
        found: Transfer,
        cost: Cost,
        clocks: _Clocks,
        started: dict[str, float],
    ) -> None:
        if found.role in ("whole", "start"):
            group = first_group(found.attributes, len(self._links.places))
            seconds = self._links.seconds(found.kind, found.bytes, group)
            cost.move(found.kind, Moved(1, found.bytes, seconds))
            clocks.links = max(clocks.now, clocks.links) + seconds
            started[found.key] = clocks.links
        if found.role in ("whole", "done"):
            waited = max(0.0, started.pop(found.key, 0.0) - clocks.now)
            cost.waits += waited
            cost.lines[one.source, found.kind] += waited
            clocks.now += waited

    def _compute(self, one: Instruction, around: Computation, cost: Cost, clocks: _Clocks) -> None:
        seconds = one.cycles / self._links.chip.clock
        if 'custom_call_target="tpu_custom_call"' in one.attributes and not one.cycles:
            flops = _KERNEL_FLOPS.search(one.attributes)
            if flops is None:
                cost.silent_kernels[one.op_name or one.name] += 1
            else:
                seconds = int(flops[1]) / (KERNEL_SHARE * self._links.chip.peak)
                cost.kernels += seconds
        if seconds:
            cost.compute += seconds
            cost.lines[one.source, operation(one)] += seconds
            clocks.now += seconds
        cost.flops += product_flops(one, around, self._program)


def _whole(cost: Cost, clocks: _Clocks, inner: Cost, times: int) -> None:
    """Run other computations, which have links and core to themselves."""
    waited = max(0.0, clocks.links - clocks.now)
    cost.waits += waited
    cost.add(inner, times)
    clocks.now += waited + times * inner.seconds
    clocks.links = clocks.now


def operation(one: Instruction) -> str:
    """What an instruction does and in which pass, such as "dot_general, backward"."""
    name = one.op_name.rpartition("/")[2] or one.opcode
    if "remat" in one.op_name:
        return f"{name}, remat"
    return f"{name}, backward" if "transpose(" in one.op_name else name
