"""The table of slices: its rows are commands that there are, and the same compiles give it anew."""

import json

import pytest

from launch.cli import Aot
from launch.scaling_table import COLUMNS, ROWS, Row, table
from stepdiff_jax.arguments import load_config, parse_arguments
from stepdiff_jax.errors import InputError

GIB = 2**30
FIT = {
    "topology": "v5e:2x4",
    "chips": 8,
    "rows": 32,
    "tokens": 32768,
    "argument_bytes": 2 * GIB,
    "temporary_bytes": GIB // 2,
    "peak_bytes": None,
    "memory_bytes": 16 * GIB,
    "flops": {"total": 2.5e15},
    "step_seconds": {"40%": 1.25, "60%": 0.5},
    "schedule_seconds": 1.5,
    "estimated_mfu": 0.444,
    "exposed_collective_seconds": 0.25,
}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_is_a_command(row):
    experiment, prog, rest = load_config("stepdiff aot", row.arguments())
    options = parse_arguments(Aot, rest, prog=prog, default=Aot(experiment))
    assert options.topology == row.topology
    assert options.experiment.llama.quantization == row.weights.replace("bfloat16", "")
    assert options.experiment.data.batch_rows == row.rows


def test_rows_are_read_from_the_cache(tmp_path):
    row = Row("stepdiff_7b", "v5e:2x4", "int8", 32)
    (tmp_path / "stepdiff_7b-v5e-2x4-int8-32.json").write_text(json.dumps(FIT))
    head, _, line = table([row], tmp_path).splitlines()
    cells = dict(zip(head.strip("| ").split(" | "), line.strip("| ").split(" | "), strict=True))
    assert tuple(cells) == COLUMNS
    assert cells["arguments"] == "2.00"
    assert cells["temporary"] == "0.50"
    assert cells["peak"] == "does not fit"
    assert cells["PFLOP per step"] == "2.5"
    assert (cells["tokens per step"], cells["s at 40 %"]) == ("32,768", "1.25")
    by_schedule = [cells[name] for name in ("s by schedule", "MFU", "s exposed")]
    assert by_schedule == ["1.50", "44%", "0.25"]


def test_a_program_that_cannot_be_read_back_has_no_schedule(tmp_path):
    names = ("schedule_seconds", "estimated_mfu", "exposed_collective_seconds")
    row, unread = Row("stepdiff_7b", "v5p:2x2x1", "int8", 32), dict.fromkeys(names)
    (tmp_path / "stepdiff_7b-v5p-2x2x1-int8-32.json").write_text(json.dumps(FIT | unread))
    assert table([row], tmp_path).splitlines()[2].endswith("| unknown | unknown | unknown |")


def test_a_row_that_fails_says_why(tmp_path):
    with pytest.raises(InputError, match=r"stepdiff aot no_such --topology .*no config of this"):
        table([Row("no_such", "v5e:2x2", "int8", 4)], tmp_path)
    assert not list(tmp_path.iterdir())
