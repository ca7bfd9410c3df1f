"""Speed of a run: tokens per second, data wait and accelerator utilisation."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import jax

PEAKS = {
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "TPU v6e": 918e12,
    "NVIDIA H100": 989e12,
    "NVIDIA H200": 989e12,
    "NVIDIA A100": 312e12,
}
"""Dense bfloat16 FLOPs per second by prefix of the device kind (vendors' data sheets)."""


def peak_flops(device_kind: str) -> float | None:
    """The bfloat16 peak of a kind of device in FLOPs per second; None if it is not known."""
    matching = [name for name in PEAKS if device_kind.startswith(name)]
    return PEAKS[max(matching, key=len)] if matching else None


class Throughput:
    """Speed since the last call to `figures`.

    Model FLOPs utilisation is in the frozen convention: 4N per token of the language model, not
    6N, plus encoder and resampler (`training.flops`); rematerialisation is not counted, padding
    is.
    """

    def __init__(self, *, devices: int, step_flops: float | None = None, peak: float | None = None):
        """Starts counting.

        Args:
            devices: number of devices of the whole mesh.
            step_flops: FLOPs of one step over the whole mesh, without rematerialisation.
            peak: FLOPs per second of one device. Utilisation needs both.
        """
        self._devices, self._step_flops, self._peak = devices, step_flops, peak
        self._restart()

    def _restart(self) -> None:
        self._since = time.perf_counter()
        self._steps = 0
        self._tokens = 0
        self._waited = 0.0

    def add(self, *, tokens: int, waited: float) -> None:
        """Count one batch: its tokens over the whole mesh, and seconds waited for it."""
        self._steps += 1
        self._tokens += tokens
        self._waited += waited

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time spent inside the block is not counted."""
        began = time.perf_counter()
        yield
        self._since += time.perf_counter() - began

    def figures(self) -> dict[str, float]:
        """Figures since the last call; the first ones include compilation."""
        seconds = time.perf_counter() - self._since
        figures = {
            "tokens_per_second": self._tokens / seconds,
            "tokens_per_second_per_device": self._tokens / seconds / self._devices,
            "data_wait_seconds": self._waited,
            "seconds": seconds,
        }
        if self._peak is not None and self._step_flops is not None:
            done = self._steps * self._step_flops / seconds
            figures["mfu_frozen_convention"] = done / (self._devices * self._peak)
        self._restart()
        return figures


def memory_figures(device: jax.Device) -> dict[str, float]:
    """Bytes of device memory in use and at the peak so far; empty if the device does not report."""
    stats = device.memory_stats() or {}
    names = {"bytes_in_use": "hbm_bytes_in_use", "peak_bytes_in_use": "hbm_peak_bytes"}
    return {name: float(stats[key]) for key, name in names.items() if key in stats}
