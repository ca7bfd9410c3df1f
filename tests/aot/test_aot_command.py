"""`stepdiff aot` as its users call it: compiles the real 7B step for chips that are not there."""

import json

import pytest

from launch.cli import main

TOPOLOGY = ["--topology", "v5e:2x4"]


def test_7b_fits_eight_small_chips(capsys):
    pytest.importorskip("libtpu")
    assert main(["aot", "stepdiff_7b", *TOPOLOGY, "--json", "--data.batch-rows", "8"]) == 0
    fit = json.loads(capsys.readouterr().out)
    assert fit["fits"]
    assert fit["chips"] == 8
    # 6.74e9 weights in bfloat16 on 8 chips, and little else.
    assert 6.7e9 * 2 / 8 < fit["argument_bytes"] < 1.15 * 6.8e9 * 2 / 8
    assert fit["peak_bytes"] < fit["memory_bytes"]
    assert fit["tokens"] == 8 * 1024
    # Each of 32 layers gathers its weights at least twice: forward, and again to go back.
    gathered = next(one for one in fit["collectives"] if one["kind"] == "all-gather")
    assert gathered["bytes"] > 2 * 32 * 2 * 200e6
    # Loops times their trip counts, the compiled products are the analytic ones.
    assert fit["product_flops"] == pytest.approx(fit["flops"]["total"], rel=0.1)
    estimated = fit["estimated_seconds"]
    assert 0 < estimated["low"] < estimated["high"] < fit["schedule_seconds"]
    parts = ("compute_seconds", "exposed_collective_seconds", "exposed_copy_seconds")
    assert fit["schedule_seconds"] == pytest.approx(sum(fit[part] for part in parts))
    peak = 8 * 197e12 * fit["schedule_seconds"]
    assert fit["estimated_mfu"] == pytest.approx(
        (fit["flops"]["total"] - fit["flops"]["rematerialisation"]) / peak
    )
    assert 0.1 < fit["estimated_mfu"] < 1
    assert len(fit["costliest"]) == 10
    assert any("stepdiff_jax/models/llama.py:" in one["source"] for one in fit["costliest"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--topology", "v9:2x2"], "topology 'v9:2x2': must be"),
        (["--topology", "v5e:2"], "topology 'v5e:2': must be"),
        ([*TOPOLOGY, "--mesh.tensor", "3"], "do not make up 8 devices"),
        ([*TOPOLOGY, "--data.batch-rows", "12"], "data.batch_rows: 12"),
        ([], "exactly one of --topology and --search is required"),
        ([*TOPOLOGY, "--search", "v5e"], "exactly one of --topology and --search is required"),
        (["--search", "v9"], "--search 'v9': must be one of v4, v5e, v5p, v6e"),
        (["--search", "v5e", "--save", "step"], "--save requires --topology"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    pytest.importorskip("libtpu")
    assert main(["aot", "stepdiff_7b", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
