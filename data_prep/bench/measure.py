"""Measures time and memory of work in a separate process (Linux only)."""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Rate:
    """Throughput and cost per record, excluding start-up.

    per_second: records per second of wall-clock time.
    core_seconds: CPU seconds of all processes per record.
    peak_bytes: the process's peak resident memory, plus the number of workers times that of the
        largest worker: an upper bound on their sum.
    """

    records: int
    per_second: float
    core_seconds: float
    peak_bytes: int


def rate_in_new_process(
    work: Callable[..., None], *arguments: Any, few: int, many: int, repeats: int, workers: int
) -> Rate:
    """Measure the rate of `work(*arguments, records, call)` in a new process.

    The cost of a run with `few` records is subtracted from that of a run with `many`, since both
    include start-up, imports and new processes. A warm-up run comes first. The result is the
    median over `repeats`.

    Args:
        work: called with `arguments`, a number of records, and the number of the call from 0.
        workers: number of processes that `work` starts.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        found = executor.submit(_rate, work, arguments, few, many, repeats, workers)
        return found.result()


def _rate(
    work: Callable[..., None], arguments: Any, few: int, many: int, repeats: int, workers: int
) -> Rate:
    calls = iter(range(2 * repeats + 1))
    work(*arguments, few, next(calls))
    rates, cores = [], []
    for _ in range(repeats):
        short = _timed(lambda: work(*arguments, few, next(calls)))
        long = _timed(lambda: work(*arguments, many, next(calls)))
        rates.append((many - few) / (long[0] - short[0]))
        cores.append((long[1] - short[1]) / (many - few))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    peak = _peak_bytes() + workers * children
    return Rate(many, statistics.median(rates), statistics.median(cores), peak)


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Wall-clock seconds and CPU seconds of all cores."""
    start, cores = time.monotonic(), _core_seconds()
    work()
    return time.monotonic() - start, _core_seconds() - cores


def _core_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _peak_bytes() -> int:
    """Peak resident memory of this process; ru_maxrss would include its parent's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")
