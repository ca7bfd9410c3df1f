"""`stepdiff table1`: the paper's Table 1, measured on the kitchen or on the released benchmark."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from launch.tables.options import TableOptions
from stepdiff_jax.arguments import parse_arguments
from stepdiff_jax.errors import InputError

INTRODUCTION = (
    "The systems of the paper's Table 1, with 95 % bootstrap intervals; below each figure is the "
    "paper's own."
)
NOT_COMPARABLE = (
    "These are not comparable: the kitchen is another world, whose small systems stand in for the "
    "paper's."
)


@dataclass(frozen=True)
class Table1(TableOptions):
    """Measure the systems of Table 1 that are not measured yet, and write the table.

    Writes table1.md, table1.json and table1.html to --directory, and each system's predictions and
    logs to a directory of its name there. A system whose weights are not there is said to be so.
    """

    size: str = "7b"
    """Of the paper's configs: 7b, 13b or 70b."""


def table1(prog: str, arguments: Sequence[str]) -> None:
    """Measure the paper's Table 1: BENCHMARK is "kitchen" or a directory."""
    options = parse_arguments(Table1, arguments, prog=prog)
    failed = run(options)
    if failed:
        raise InputError(f"{failed} of the rows failed; the table says why")


def run(options: Table1) -> int:
    """Measure and write the table; returns the number of rows that failed."""
    from launch.evaluate import clip_source
    from launch.tables import kitchen, published
    from launch.tables.compare import leads
    from launch.tables.markdown import markdown
    from launch.tables.measure import evaluation, measure_rows
    from launch.tables.page import improvement_plot, table_page
    from launch.tables.rows import measured_only
    from launch.tables.samples import sample_pairs
    from stepdiff_jax.evaluation.benchmark_files import read_diffcap
    from stepdiff_jax.evaluation.tasks import benchmark_path
    from stepdiff_jax.files import write_json, write_text

    directory, benchmark = options.output("table1"), options.benchmark_directory
    if options.in_kitchen:
        kitchen.prepare(options.quickstart, directory, options.split)
        rows = kitchen.rows(options.quickstart, directory, options.split)
    elif options.rows is not None:
        rows = published.read_rows(options.rows)
    else:
        rows = published.rows(options.size)
    found = measure_rows(rows, benchmark, directory, options.flags)
    said = leads(found, benchmark, apart=(kitchen.CEILING,))
    text = markdown(found) + "\n" + "\n".join(lead.sentence() for lead in said) + "\n"
    samples = []
    captions = benchmark_path(benchmark, "diffcap")
    if captions.exists() and measured_only(found):
        shown = evaluation(measured_only(found)[0].row, benchmark, directory, options.flags)
        whole = replace(shown, clip_frames="all")
        samples = sample_pairs(found, read_diffcap(captions), partial(clip_source, whole))
    introduction = INTRODUCTION + (f" {NOT_COMPARABLE}" if options.in_kitchen else "")
    title = f"Table 1 {options.where}"
    page = table_page(title, introduction, found, said, samples, improvement_plot(found))
    write_text(directory / "table1.md", text)
    write_json(directory / "table1.json", [one.stored() for one in found], indent=1)
    write_text(directory / "table1.html", page)
    print(text)
    print(f"written: {directory}/table1.md, .json, .html", file=sys.stderr)
    return sum(bool(one.failed) for one in found)
