"""`stepdiff table2`: the paper's Table 2, and language models by size and family."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launch.tables.options import TableOptions
from stepdiff_jax.arguments import parse_arguments
from stepdiff_jax.errors import InputError

if TYPE_CHECKING:
    from launch.tables.cost import SizeRow
    from launch.tables.rows import Measured, Row

INTRODUCTION = (
    "The ablations of the paper's Table 2 (section 4.5), with 95 % bootstrap intervals; below each "
    "figure is the paper's own. Then StepDiff by language model, with what each costs."
)
IN_KITCHEN = (
    "The kitchen's figures are not comparable with the paper's. Its questions are as noisy as a "
    "language model's: half of them have an injected error before they are filtered."
)
SIZES = "Language models"


@dataclass(frozen=True)
class Table2(TableOptions):
    """Measure the ablations of Table 2, and StepDiff by language model, and write both tables.

    On the kitchen, what is missing is trained first. Writes table2.md, table2.json and table2.html
    to --directory, and each row's predictions and logs to a directory of its name there. A row
    whose run is not there is said to be so, with the command that trains it. --rows has other
    language models than the published sizes.
    """

    size: str = "70b"
    """Of the paper's configs: 7b, 13b or 70b."""


def table2(prog: str, arguments: Sequence[str]) -> None:
    """Measure the paper's Table 2 and sizes of language models: BENCHMARK as for table1."""
    options = parse_arguments(Table2, arguments, prog=prog)
    failed = run(options)
    if failed:
        raise InputError(f"{failed} of the rows failed; the table says why")


def run(options: Table2) -> int:
    """Train, measure and write the table; returns the number of rows that failed."""
    from launch.tables.compare import leads_over_each
    from launch.tables.cost import sizes_html, sizes_markdown
    from launch.tables.markdown import markdown
    from launch.tables.measure import measure_rows
    from launch.tables.page import table_page
    from stepdiff_jax.files import write_json, write_text
    from stepdiff_jax.report.page import element

    directory, benchmark = options.output("table2"), options.benchmark_directory
    ablations, models = _rows(options)
    distinct = {row.slug: row for row in (*ablations, *models.values())}
    measured = measure_rows(list(distinct.values()), benchmark, directory, options.flags)
    by_slug = {one.row.slug: one for one in measured}
    found = [by_slug[row.slug] for row in ablations]
    sizes = [_size(name, by_slug[row.slug]) for name, row in models.items()]
    said = leads_over_each(found, benchmark)
    sentences = "\n".join(lead.sentence() for lead in said)
    text = f"{markdown(found)}\n{sentences}\n\n{sizes_markdown(sizes)}"
    introduction = INTRODUCTION + (f" {IN_KITCHEN}" if options.in_kitchen else "")
    more = [element("h2", SIZES), sizes_html(sizes)]
    page = table_page(f"Table 2 {options.where}", introduction, found, said, more=more)
    write_text(directory / "table2.md", text)
    stored = {
        "ablations": [one.stored() for one in found],
        "language_models": [one.stored() for one in sizes],
    }
    write_json(directory / "table2.json", stored, indent=1)
    write_text(directory / "table2.html", page)
    print(text)
    print(f"written: {directory}/table2.md, .json, .html", file=sys.stderr)
    return sum(bool(one.failed) for one in measured)


def _rows(options: Table2) -> "tuple[list[Row], dict[str, Row]]":
    """The ablations, and language models by name."""
    from launch.tables import ablations, kitchen, published

    if options.in_kitchen:
        quickstart, directory = options.quickstart, options.output("table2")
        kitchen.prepare_quickstart(quickstart)
        ablations.prepare(quickstart, directory)
        rows = ablations.rows(quickstart, directory, options.split)
        models = {"kitchen": rows["StepDiff"], "kitchen@small": rows[ablations.STAND_IN]}
        return list(rows.values()), models
    own = [] if options.rows is None else published.read_rows(options.rows)
    models = {row.name: row for row in own} or published.language_models()
    return published.ablations(options.size), models


def _size(name: str, one: "Measured") -> "SizeRow":
    from pathlib import Path

    from launch.tables.cost import SizeRow, cost_of
    from stepdiff_jax.config_files import load_experiment

    run = dict(zip(one.row.flags, one.row.flags[1:])).get("--run")
    cost = cost_of(load_experiment(one.row.config), None if run is None else Path(run))
    return SizeRow(name, one, cost)
