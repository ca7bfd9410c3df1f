"""The table of inference by slice: its rows are commands that there are, and its sums are right."""

import json
from typing import Any

import pytest

from launch.cli import Aot
from launch.inference_table import COLUMNS, ROW_TOKENS, ROWS, Row, table
from stepdiff_jax.arguments import load_config, parse_arguments

GIB = 2**30
FOUND: dict[str, Any] = {
    "chips": 8,
    "mesh": {"data": 4, "tensor": 1, "group": 2},
    "fits": True,
    "memory_bytes": 16 * GIB,
    "peak_bytes": 8 * GIB,
    "beside_bytes": GIB,
}
SECONDS = {"encode": 0.1, "score": 0.5, "prefill": 0.05, "generate": 0.02}
ROWS_AT_ONCE = {"encode": 32, "score": 16, "prefill": 4, "generate": 16}


def lines(tmp_path, **changed: dict[str, Any]) -> dict[str, str]:
    for program, seconds in SECONDS.items():
        found = FOUND | {"schedule_seconds": seconds, "rows": ROWS_AT_ONCE[program]}
        path = tmp_path / f"stepdiff_7b-v5e-2x4-int8-{program}.json"
        path.write_text(json.dumps(found | changed.get(program, {})))
    head, _, line = table([Row("stepdiff_7b", "v5e:2x4", "int8")], tmp_path).splitlines()
    cells = [part.strip() for part in line.strip("|").split("|")]
    assert head == "| " + " | ".join(COLUMNS) + " |"
    return dict(zip(COLUMNS, cells, strict=True))


@pytest.mark.parametrize("program", ROW_TOKENS)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_is_a_command(row, program):
    experiment, prog, rest = load_config("stepdiff aot", row.arguments(program))
    options = parse_arguments(Aot, rest, prog=prog, default=Aot(experiment))
    assert (options.topology, options.program) == (row.topology, program)
    assert options.batch.row_tokens == ROW_TOKENS[program]
    assert options.experiment.llama.quantization == row.weights.replace("bfloat16", "")


def test_the_benchmarks_cost_is_the_sum_of_its_parts(tmp_path):
    line = lines(tmp_path)
    assert (line["sharing a model"], line["peak"], line["of"]) == ("2", "9.0", "16")
    clips, prefixes = 263 * 0.1, 1573 * 0.05
    captions = 22292 * 24 / 64 * 0.02
    choices, rankings = 22292 * 4 / 2 / 16 * 0.5, 3932 * 4 / 6.7 / 16 * 0.5
    minutes = (clips + prefixes + captions + choices + rankings) / 60
    assert line["whole benchmark, min"] == f"{minutes:.0f}" == "29"


def test_what_does_not_fit_or_cannot_be_read_has_no_time(tmp_path):
    line = lines(tmp_path, score={"fits": False, "peak_bytes": None})
    assert line["score 16 rows"] == "does not fit" and line["whole benchmark, min"] == ""
    line = lines(tmp_path, generate={"schedule_seconds": None})
    assert line["a token of 64 branches"] == "unknown" and line["peak"] == "9.0"
