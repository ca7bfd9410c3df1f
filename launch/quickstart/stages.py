"""Runs each stage of a long run once, so that the run can be resumed."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from stepdiff_jax.files import write_json


class Stages:
    """Finished stages and their durations, stored in `stages.json`."""

    def __init__(self, directory: Path, console: Console):
        self.path = directory / "stages.json"
        self.console = console
        self.finished: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            self.finished = json.loads(self.path.read_text())

    @property
    def seconds(self) -> dict[str, float]:
        """Stage -> wall-clock seconds, without interrupted attempts."""
        return {name: stage["seconds"] for name, stage in self.finished.items()}

    def run(self, name: str, key: Any, work: Callable[[], Any]) -> Any:
        """Run `work` unless the stage finished with the same `key`; returns its JSON result.

        Stages that finished later depend on this one, so if it is redone, they are too.
        """
        known = self.finished.get(name)
        key = json.loads(json.dumps(key))
        if known is not None and known["key"] == key:
            self.console.print(f"[dim]{name}: already done ({known['seconds']:.0f} s)[/dim]")
            return known["result"]
        if known is not None:
            names = list(self.finished)
            self.finished = {other: self.finished[other] for other in names[: names.index(name)]}
        self.console.print(f"[bold]{name}[/bold]")
        start = time.monotonic()
        result = work()
        seconds = round(time.monotonic() - start, 1)
        self.finished[name] = {"key": key, "seconds": seconds, "result": result}
        write_json(self.path, self.finished, indent=1)
        self.console.print(f"{name}: {seconds:.0f} s")
        return result
