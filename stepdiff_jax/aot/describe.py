"""A readable summary of what a compiled program needs."""

from stepdiff_jax.aot.estimate import Estimate


def describe_estimate(found: Estimate | None, generation: str) -> list[str]:
    """Lines on the time by the compiler's schedule."""
    if found is None:
        return ["schedule  unknown: the compiled program cannot be read back"]
    interval = found.estimated_seconds
    real = (
        f"not calibrated on {generation}"
        if interval is None
        else f"estimated {seconds(interval.low)} to {seconds(interval.high)}"
    )
    lines = [
        f"schedule  {seconds(found.schedule_seconds)} by the compiler's schedule ({real}), MFU "
        f"{found.estimated_mfu:.0%}; nothing of it is measured",
        f"          compute {seconds(found.compute_seconds)}, of which kernels "
        f"{seconds(found.kernel_seconds)}; exposed collectives "
        f"{seconds(found.exposed_collective_seconds)}; exposed copies "
        f"{seconds(found.exposed_copy_seconds)}",
    ]
    lines += [
        f"          one iteration of {one.name or one.source} {seconds(one.seconds)}, counted once"
        for one in found.open_loops
    ]
    lines += [
        f"          kernel {name} runs {count} times and states no FLOPs: counted as nothing"
        for name, count in found.silent_kernels.items()
    ]
    lines += [
        f"{one.kind:<20} {one.operations:>6,} run, {one.bytes / 2**20:,.0f} MiB, "
        f"{seconds(one.seconds)} on the links"
        for one in found.collectives
    ]
    lines += [
        f"{seconds(one.seconds):>9}  {one.operation:<24} {one.source or '(made by the compiler)'}"
        for one in found.costliest
    ]
    return lines


def seconds(value: float) -> str:
    """Seconds in a readable unit."""
    if value >= 0.1 or value == 0:
        return f"{value:.2f} s"
    return f"{value * 1e3:.2f} ms" if value >= 1e-4 else f"{value * 1e6:.2f} us"
