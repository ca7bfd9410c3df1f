"""Traces of chosen steps."""

import os
import subprocess
import sys

import pytest

from stepdiff_jax.errors import InputError
from stepdiff_jax.training.profile import Profile, Profiler, parse_profile


def trace(directory, start: int, stop: int, steps: int) -> tuple[list[bool], int]:
    """Whether there was a trace before each step, and how many there are in the end.

    In a process of its own: tracing crashes one that has loaded the TPU compiler (libtpu 0.0.52),
    as other tests do.
    """
    program = f"""
from pathlib import Path
import jax, jax.numpy as jnp
from stepdiff_jax.training.profile import Profile, Profiler
directory = Path({str(directory)!r})
def traces():
    return list(directory.glob("profile/**/*.xplane.pb"))
with Profiler(Profile({start}, {stop}), directory) as profiler:
    for step in range({steps}):
        profiler.before(step)
        print(int(bool(traces())))
        jax.block_until_ready(jnp.ones(8) * step)
print(len(traces()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    *before, count = map(int, done.stdout.split())
    return [bool(one) for one in before], count


def test_the_steps_of_a_profile_are_traced(tmp_path):
    before, count = trace(tmp_path, 1, 3, steps=5)
    assert before == [False, False, False, True, True]
    assert count == 1


def test_a_run_that_ends_within_the_profile_leaves_its_trace(tmp_path):
    assert trace(tmp_path, 0, 9, steps=1) == ([False], 1)


def test_without_a_profile_nothing_is_written(tmp_path):
    with Profiler(None, tmp_path) as profiler:
        profiler.before(0)
    assert not list(tmp_path.iterdir())


def test_tracing_beside_a_tpu_library_without_a_tpu_is_refused(tmp_path):
    program = """
import ctypes, importlib.util, pathlib
from stepdiff_jax.training.profile import Profile, Profiler
package = importlib.util.find_spec("libtpu").submodule_search_locations[0]
library = ctypes.CDLL(str(pathlib.Path(package) / "libtpu.so"))
Profiler(Profile(0, 1), pathlib.Path("run"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "InputError: --profile: libtpu is loaded and there is no TPU" in done.stderr


@pytest.mark.parametrize("text", ["", "3", "3:3", "5:3", "a:b", "-1:4", "1:2:3"])
def test_other_forms_are_input_errors(text):
    with pytest.raises(InputError, match=r"--profile .*: must be START:STOP"):
        parse_profile(text)


def test_start_and_stop():
    assert parse_profile("10:12") == Profile(10, 12)
