"""All tests run on the CPU, as eight virtual devices; set before anything imports JAX."""

import atexit
import os
import shutil
import tempfile

from hypothesis import settings

import configs  # noqa: F401  so that configs are found by name

# One compilation cache per session, shared by pytest's workers: programs that several tests, or
# their subprocesses, build alike compile once.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _CACHE = tempfile.mkdtemp(prefix="stepdiff-tests-")
    atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _CACHE

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
# A slow machine is no failure: no deadlines.
settings.register_profile("stepdiff", deadline=None)
settings.load_profile("stepdiff")
