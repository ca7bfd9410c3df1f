"""The result file of an evaluation, which records what it ran on."""

import platform
from pathlib import Path
from typing import Any

from stepdiff_jax.files import write_json
from stepdiff_jax.ran_on import devices, packages


def write_results(path: Path, results: dict[str, Any]) -> None:
    """Write `results` and what they were made on, atomically."""
    ran_on = {"versions": packages(), "machine": platform.machine(), "devices": devices()}
    write_json(path, results | {"ran_on": ran_on}, indent=2)
