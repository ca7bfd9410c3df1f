"""Runs one function on many elements with Apache Beam, on any of its runners."""

from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner, PipelineState, create_runner

from stepdiff_jax.errors import InputError, OutsideFailure

_DIRECT = ("direct", "directrunner")
_DASK = "apache_beam.runners.dask.dask_runner.DaskRunner"
_CLUSTERS = ("dask", "distributed", "grpc", "google", "urllib3", "requests")
"""Packages whose exceptions say that a cluster cannot be reached, or lost too many workers."""


def open_runner(name: str) -> PipelineRunner:
    """The runner of a name, such as "DirectRunner", or of a full class name.

    Raises:
        InputError: there is none, or it needs a package that is not installed.
    """
    if name.lower() in _DIRECT:
        # What DirectRunner falls back to after trying to download Prism, a program in Go.
        return FnApiRunner()
    try:
        # Beam knows Dask's by its full name only.
        return create_runner(_DASK if name.lower() in ("dask", "daskrunner") else name)
    except (ValueError, ImportError, AttributeError) as error:
        raise InputError(f"--beam-runner {name}: {error}") from error


def pipeline_options(runner: str, options: Sequence[str]) -> PipelineOptions:
    """Options NAME=VALUE for a pipeline; "true" sets a flag, a repeated name adds a value.

    Raises:
        InputError: an option is malformed.
    """
    switches: dict[str, bool] = {}
    values: dict[str, list[str]] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not (name and equals):
            raise InputError(f"--beam-options must be NAME=VALUE, got {option!r}")
        if value in ("true", "false"):
            switches[name] = value == "true"
        else:
            values.setdefault(name, []).append(value)
    if "dask" in runner.lower() and "dask_npartitions" not in values:
        # Otherwise Dask puts all elements into one partition, and one worker does everything.
        values.setdefault("dask_partition_size", ["1"])
    return PipelineOptions.from_dictionary(switches | values)


def run_elements(
    function: Callable[[Any], None], elements: Sequence[Any], runner: str, options: Sequence[str]
) -> None:
    """Call a function, importable on the workers, with each element, on any of them.

    Raises:
        InputError: see `open_runner` and `pipeline_options`.
        OutsideFailure: the cluster cannot be reached, lost too many workers, or was stopped.
    """
    pipeline = beam.Pipeline(open_runner(runner), pipeline_options(runner, options))
    # Without a reshuffle, the worker that creates the elements would do them all.
    _ = pipeline | beam.Create(elements) | beam.Reshuffle() | beam.Map(function)
    try:
        result = pipeline.run()
        state = result.wait_until_finish()
    except Exception as error:
        package = type(error).__module__.split(".")[0]
        if package not in _CLUSTERS and not isinstance(error, OSError):
            raise
        text = " ".join(str(error).split())[:300]
        raise OutsideFailure(
            f"--beam-runner {runner}: {type(error).__name__}: {text}; starting again resumes"
        ) from error
    if client := getattr(result, "client", None):
        client.close()
    if state != PipelineState.DONE:
        raise OutsideFailure(
            f"--beam-runner {runner}: the pipeline ended as {state}; starting again resumes"
        )
