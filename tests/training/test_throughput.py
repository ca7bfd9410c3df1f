"""Speed figures: counted from call to call, and per device."""

import pytest

from stepdiff_jax.training.throughput import PEAKS, Throughput, peak_flops


def test_throughput_counts_from_call_to_call_and_leaves_pauses_out():
    throughput = Throughput(devices=4)
    throughput.add(tokens=30, waited=0.25)
    throughput.add(tokens=10, waited=0.5)
    first = throughput.figures()
    assert first["data_wait_seconds"] == 0.75
    assert first["tokens_per_second"] * first["seconds"] == pytest.approx(40)
    assert first["tokens_per_second_per_device"] == pytest.approx(first["tokens_per_second"] / 4)
    assert "mfu_frozen_convention" not in first
    with throughput.paused():
        for _ in range(10_000):
            pass
    again = throughput.figures()
    assert again["data_wait_seconds"] == again["tokens_per_second"] == 0


def test_utilisation_is_work_over_what_all_devices_could_do():
    throughput = Throughput(devices=2, step_flops=3e6, peak=5e9)
    for _ in range(7):
        throughput.add(tokens=1, waited=0.0)
    figures = throughput.figures()
    possible = 2 * 5e9 * figures["seconds"]
    assert figures["mfu_frozen_convention"] == pytest.approx(7 * 3e6 / possible)


@pytest.mark.parametrize(
    "kind, peak",
    [
        ("TPU v5 lite", PEAKS["TPU v5e"]),
        ("TPU v5p", PEAKS["TPU v5p"]),
        ("TPU v5", PEAKS["TPU v5p"]),
        ("NVIDIA H100 80GB HBM3", PEAKS["NVIDIA H100"]),
        ("cpu", None),
    ],
)
def test_peak_by_the_longest_name_that_a_kind_begins_with(kind, peak):
    assert peak_flops(kind) == peak
