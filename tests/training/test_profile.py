"""Traces of chosen steps."""

import sys

import jax
import jax.numpy as jnp
import pytest

from stepdiff_jax.errors import InputError
from stepdiff_jax.training.profile import Profile, Profiler, parse_profile


@pytest.fixture
def tracer():
    """Tracing crashes a process that has loaded the TPU compiler (libtpu 0.0.52)."""
    if "libtpu" in sys.modules:
        pytest.skip("libtpu is loaded in this process")


def traces(directory) -> list:
    return list(directory.glob("profile/**/*.xplane.pb"))


def test_the_steps_of_a_profile_are_traced(tmp_path, tracer):
    with Profiler(Profile(1, 3), tmp_path) as profiler:
        for step in range(5):
            profiler.before(step)
            assert bool(traces(tmp_path)) == (step >= 3)
            jax.block_until_ready(jnp.ones(8) * step)
    assert len(traces(tmp_path)) == 1


def test_a_run_that_ends_within_the_profile_leaves_its_trace(tmp_path, tracer):
    with Profiler(Profile(0, 9), tmp_path) as profiler:
        profiler.before(0)
    assert traces(tmp_path)


def test_without_a_profile_nothing_is_written(tmp_path):
    with Profiler(None, tmp_path) as profiler:
        profiler.before(0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "3", "3:3", "5:3", "a:b", "-1:4", "1:2:3"])
def test_other_forms_are_input_errors(text):
    with pytest.raises(InputError, match=r"--profile .*: must be START:STOP"):
        parse_profile(text)


def test_start_and_stop():
    assert parse_profile("10:12") == Profile(10, 12)
