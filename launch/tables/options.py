"""The options that `stepdiff table1` and `table2` have in common."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from stepdiff_jax.errors import InputError

KITCHEN = "kitchen"


@dataclass(frozen=True)
class TableOptions:
    """What is measured, on what, and where it goes."""

    benchmark: Annotated[Positional[str], arg(metavar="BENCHMARK")]
    """"kitchen", or a directory with the benchmark's files, or some of them."""
    directory: Path | None = None
    """Output directory; by default runs/TABLE/kitchen or runs/TABLE/<benchmark>."""
    quickstart: Path = Path("runs/quickstart")
    """The kitchen's data and runs: a quickstart's directory. A quickstart is run if it has not."""
    split: Literal["test", "validation"] = "test"
    """Of the kitchen: "validation" for every choice, "test" for tables only."""
    rows: Path | None = None
    """TOML file of other rows than the paper's (docs/tables.md)."""
    limit: int | None = None
    """Only the first instances of each task."""
    videos: Path | None = None
    """Directory of video files to take the clips from, instead of packed clips."""

    def __post_init__(self) -> None:
        if self.in_kitchen and (self.rows is not None or self.videos is not None):
            raise InputError("--rows and --videos are for a benchmark's directory, not the kitchen")

    @property
    def in_kitchen(self) -> bool:
        """Whether the rendered kitchen is measured."""
        return self.benchmark == KITCHEN

    @property
    def benchmark_directory(self) -> Path:
        """Where the benchmark's files are."""
        if self.in_kitchen:
            return self.quickstart / "benchmark" / self.split
        return Path(self.benchmark)

    @property
    def where(self) -> str:
        """The benchmark in a title."""
        return "on the rendered kitchen" if self.in_kitchen else f"on {self.benchmark}"

    @property
    def flags(self) -> list[str]:
        """Those of `stepdiff evaluate` that all rows get."""
        flags = [] if self.limit is None else ["--limit", str(self.limit)]
        return flags if self.videos is None else [*flags, "--videos", str(self.videos)]

    def output(self, table: str) -> Path:
        """Where the table and its rows' results go."""
        if self.directory is not None:
            return self.directory
        return Path("runs") / table / (KITCHEN if self.in_kitchen else Path(self.benchmark).name)
