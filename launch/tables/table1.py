"""`stepdiff table1`: the paper's Table 1, measured on the kitchen or on the released benchmark."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from stepdiff_jax.arguments import parse_arguments
from stepdiff_jax.errors import InputError

KITCHEN = "kitchen"

INTRODUCTION = (
    "The systems of the paper's Table 1, with 95 % bootstrap intervals; below each figure is the "
    "paper's own."
)
NOT_COMPARABLE = (
    "These are not comparable: the kitchen is another world, whose small systems stand in for the "
    "paper's."
)


@dataclass(frozen=True)
class Table1:
    """Measure the systems of Table 1 that are not measured yet, and write the table.

    Writes table1.md, table1.json and table1.html to --directory, and each system's predictions and
    logs to a directory of its name there. A system whose weights are not there is said to be so.
    """

    benchmark: Annotated[Positional[str], arg(metavar="BENCHMARK")]
    """"kitchen", or a directory with the benchmark's files, or some of them."""
    directory: Path | None = None
    """Output directory; by default runs/table1/kitchen or runs/table1/<benchmark>."""
    quickstart: Path = Path("runs/quickstart")
    """The kitchen's data and runs: a quickstart's directory. A quickstart is run if it has not."""
    split: Literal["test", "validation"] = "test"
    """Of the kitchen: "validation" for every choice, "test" for tables only."""
    size: str = "7b"
    """Of the paper's configs: 7b, 13b or 70b."""
    rows: Path | None = None
    """TOML file of other rows than the paper's (docs/tables.md)."""
    limit: int | None = None
    """Only the first instances of each task."""
    videos: Path | None = None
    """Directory of video files to take the clips from, instead of packed clips."""


def table1(prog: str, arguments: Sequence[str]) -> None:
    """Measure the paper's Table 1: BENCHMARK is "kitchen" or a directory."""
    options = parse_arguments(Table1, arguments, prog=prog)
    failed = run(options)
    if failed:
        raise InputError(f"{failed} of the rows failed; the table says why")


def run(options: Table1) -> int:
    """Measure and write the table; returns the number of rows that failed."""
    from launch.tables import kitchen, published
    from launch.tables.compare import leads
    from launch.tables.markdown import markdown
    from launch.tables.measure import measure_rows
    from launch.tables.page import table_page
    from launch.tables.samples import sample_pairs
    from stepdiff_jax.data.packed_clips import PackedClips
    from stepdiff_jax.evaluation.benchmark_files import read_diffcap
    from stepdiff_jax.evaluation.tasks import BENCHMARK_TASKS, benchmark_path
    from stepdiff_jax.files import write_json, write_text

    in_kitchen = options.benchmark == KITCHEN
    name = KITCHEN if in_kitchen else Path(options.benchmark).name
    directory = options.directory or Path("runs/table1") / name
    flags: list[str] = [] if options.limit is None else ["--limit", str(options.limit)]
    if options.videos is not None:
        flags += ["--videos", str(options.videos)]
    if in_kitchen:
        if options.rows is not None or options.videos is not None:
            raise InputError("--rows and --videos are for a benchmark's directory, not the kitchen")
        kitchen.prepare(options.quickstart, directory, options.split)
        rows = kitchen.rows(options.quickstart, directory, options.split)
        benchmark = options.quickstart / "benchmark" / options.split
    else:
        benchmark = Path(options.benchmark)
        rows = published.rows(options.size)
        if options.rows is not None:
            rows = published.read_rows(options.rows)
    tasks = [task for task in BENCHMARK_TASKS if benchmark_path(benchmark, task).exists()]
    if not tasks:
        files = ", ".join(task.file for task in BENCHMARK_TASKS.values())
        raise InputError(f"{benchmark}: has none of {files}")
    for task in tasks:
        BENCHMARK_TASKS[task].instances(benchmark)  # an invalid file would fail every row
    found = measure_rows(rows, benchmark, directory, [*flags, "--task", *tasks])
    said = leads(found, benchmark, apart=(kitchen.CEILING,))
    text = markdown(found) + "\n" + "\n".join(lead.sentence() for lead in said) + "\n"
    samples = []
    if in_kitchen:
        captions = read_diffcap(benchmark_path(benchmark, "diffcap"))
        clips = [clip for one in captions for clip in (one.reference, one.candidate)]
        source = PackedClips(options.quickstart / "data", clips, options.split)
        samples = sample_pairs(found, captions, source)
    where = "on the rendered kitchen" if in_kitchen else f"on {options.benchmark}"
    introduction = INTRODUCTION + (f" {NOT_COMPARABLE}" if in_kitchen else "")
    write_text(directory / "table1.md", text)
    write_json(directory / "table1.json", [_stored(one) for one in found], indent=1)
    write_text(
        directory / "table1.html",
        table_page(f"Table 1 {where}", introduction, found, said, samples),
    )
    print(text)
    print(f"written: {directory}/table1.md, .json, .html", file=sys.stderr)
    return sum(bool(one.failed) for one in found)


def _stored(one: Any) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(one), default=str)) | {"metrics": one.metrics}
