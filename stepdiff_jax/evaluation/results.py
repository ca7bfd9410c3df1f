"""The result file of an evaluation, which says what it ran on."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from stepdiff_jax.files import write_json

PACKAGES = ("stepdiff-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "av")


def ran_on() -> dict[str, Any]:
    """Versions of the packages that decide the figures, and the machine."""
    devices = jax.devices()
    return {
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in PACKAGES},
        "machine": platform.machine(),
        "devices": f"{len(devices)} x {devices[0].device_kind}",
    }


def write_results(path: Path, results: dict[str, Any]) -> None:
    """Write `results` and what they were made on, whole or not at all."""
    write_json(path, results | {"ran_on": ran_on()}, indent=2)
