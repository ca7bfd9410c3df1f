"""The rows of a table: what each is called, and the evaluation that measures it."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from launch.tables.paper import Figures


@dataclass(frozen=True)
class Row:
    """A system of a table.

    name: as in the paper; config, flags: of `stepdiff evaluate`, without benchmark and directories.
    needs: files and directories without which it cannot be measured.
    stands_in: what is measured instead of the paper's system, if it is something else.
    made_by: the command that makes what it needs, if it is one of ours.
    """

    name: str
    config: str
    flags: tuple[str, ...]
    needs: tuple[Path, ...] = ()
    paper: Figures = field(default_factory=dict)
    stands_in: str = ""
    made_by: str = ""

    @property
    def slug(self) -> str:
        """The name as that of a directory."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")


@dataclass(frozen=True)
class Measured:
    """A row with its results, or why it has none.

    absent: what it needs and is not there; failed: the error that ended it.
    results: the content of `results.json`; predictions: the directory of predictions and logs.
    """

    row: Row
    absent: str = ""
    failed: str = ""
    results: dict[str, Any] | None = None
    predictions: Path | None = None

    @property
    def metrics(self) -> dict[str, float | None]:
        """Metric -> figure over all instances; an undefined tau counts undefined lines as 0."""
        found: dict[str, float | None] = {}
        for metrics in (self.results or {}).get("tasks", {}).values():
            plain = {name: one for name, one in metrics.items() if isinstance(one, float)}
            found |= plain
        if "ktau_nan_as_zero" in found and "ktau" not in found:
            found["ktau"] = found["ktau_nan_as_zero"]
        return found

    def stored(self) -> dict[str, Any]:
        """As JSON values."""
        fields = json.loads(json.dumps(asdict(self), default=str))
        return fields | {"metrics": self.metrics}

    def interval(self, metric: str) -> tuple[float, float] | None:
        """The metric's 95 % interval over all instances; of an undefined tau, as `metrics`."""
        for found in (self.results or {}).get("intervals", {}).values():
            name = metric
            if metric == "ktau" and found.get("ktau", {}).get("defined_lines_only"):
                name = "ktau_nan_as_zero"
            if name in found and found[name]["low"] is not None:
                return found[name]["low"], found[name]["high"]
        return None

    def by_category(self, task: str, metric: str) -> dict[str, float]:
        """Category -> figure; empty if the system does not do the task."""
        categories = (self.results or {}).get("tasks", {}).get(task, {}).get("by_category", {})
        return {
            name: float(one[metric])
            for name, one in categories.items()
            if one.get(metric) is not None
        }


def missing(row: Row) -> str:
    """What a row needs and is not there, in words; empty if it can be measured."""
    absent = [str(path) for path in row.needs if not path.exists()]
    if not absent:
        return ""
    return f"no {', no '.join(absent)}" + (f" (made by `{row.made_by}`)" if row.made_by else "")


def measured_only(rows: Sequence[Measured]) -> list[Measured]:
    """The rows that have results."""
    return [one for one in rows if one.results is not None]
