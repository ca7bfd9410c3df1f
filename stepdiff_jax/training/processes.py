"""Several processes as one program: how they find each other, agree at the start, and leave.

The environment says whether there are any (`read_environment`); a single process needs nothing.
"""

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax

from stepdiff_jax.errors import InputError
from stepdiff_jax.exit_codes import BAD_INPUT, FAILED, PEER_LOST
from stepdiff_jax.jsonl import shorten
from stepdiff_jax.training.interruption import Interrupted

DISTRIBUTED = "STEPDIFF_DISTRIBUTED"
COORDINATOR, PROCESSES, PROCESS = "STEPDIFF_COORDINATOR", "STEPDIFF_PROCESSES", "STEPDIFF_PROCESS"
START_SECONDS = "STEPDIFF_START_SECONDS"

HEARTBEAT_SECONDS = 30
"""A process that is silent for this long counts as dead, and JAX ends the others (ours)."""

LEAVE_SECONDS = 600
"""How long a finished process waits for the others (ours)."""

AGREED = "agreed"
FOUND = "found"

_BROKEN_LINK = re.compile(
    r"^UNAVAILABLE|gloo|nccl|connection (reset|closed|refused)|socket closed|broken pipe", re.I
)
"""Error messages of collectives when the peer process is gone."""


class Place(NamedTuple):
    """The address of process 0, the number of processes, and this process's index."""

    coordinator: str
    processes: int
    process: int


def read_environment(environment: Mapping[str, str]) -> Place | None:
    """The `Place` given by STEPDIFF_COORDINATOR, _PROCESSES and _PROCESS; None if none is set.

    Raises:
        InputError: some of the three are missing or invalid.
    """
    given = [name for name in (COORDINATOR, PROCESSES, PROCESS) if environment.get(name)]
    if not given:
        return None
    for name in (COORDINATOR, PROCESSES, PROCESS):
        if name not in given:
            raise InputError(f"{given[0]} is set, but {name} is not")
    coordinator = environment[COORDINATOR]
    if not re.fullmatch(r".+:\d+", coordinator):
        raise InputError(f"{COORDINATOR} must be HOST:PORT, got {coordinator!r}")
    count = _integer(environment, PROCESSES, least=1)
    process = _integer(environment, PROCESS, least=0)
    if process >= count:
        raise InputError(f"{PROCESS} must be below {PROCESSES} {count}, got {process}")
    return Place(coordinator, count, process)


@contextmanager
def joined_processes(environment: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Join the processes that the environment describes; there may be only this one.

    With STEPDIFF_DISTRIBUTED=auto, JAX finds the others (SLURM, GKE, TPU slices); otherwise
    `read_environment` does. STEPDIFF_START_SECONDS is how long all may take to start (default:
    300). Enter it before anything asks JAX for devices.

    On exit without an error, with an InputError or with `Interrupted`, it waits for the others,
    which do the same. Any other error ends the process at once with a line that says why: the
    others may be waiting for it in a collective, so it must not wait for them.

    Raises:
        InputError: as `read_environment`, or JAX finds no cluster.
    """
    if not _start(environment):
        yield
        return
    try:
        yield
    except InputError as error:
        # Usually all processes find and report the same error; but one host may lack a file.
        if not _leave(seconds=HEARTBEAT_SECONDS / 2):
            _end(str(error), BAD_INPUT)
        raise
    except Interrupted:
        _leave(seconds=LEAVE_SECONDS)
        raise
    except Exception as error:
        # Previously compiled functions raise the runtime's errors as ValueError, too.
        runtime = isinstance(error, jax.errors.JaxRuntimeError | ValueError)
        if runtime and _BROKEN_LINK.search(_first_line(error)):
            _end(f"lost another process, whose own log says why: {_first_line(error)}", PEER_LOST)
        traceback.print_exc()
        _end(f"{type(error).__name__}: {_first_line(error)}", FAILED)
    else:
        _leave(seconds=LEAVE_SECONDS)


def require_agreement(
    fields: Callable[[int], Mapping[str, Any]], environment: Mapping[str, str] = os.environ
) -> None:
    """Compare what must be the same in all processes, before any of them uses a device.

    Process 0 compares the fields and sends its verdict to all, so that every log has it.

    Args:
        fields: maps the number of processes to JSON-serializable values by name; not called if
            there is only one process.
    Raises:
        InputError: a field differs between process 0 and another; a process does not respond; or
            `fields` raises it.
    """
    client, count, process = _runtime()
    if client is None:
        return
    seconds, failure = _start_seconds(environment), None
    try:
        own = dict(fields(count))
    except InputError as error:
        own, failure = {FOUND: str(error)}, error
    client.key_value_set(f"stepdiff/start/{process}", json.dumps(own))
    if process == 0:
        client.key_value_set("stepdiff/verdict", _verdict(client, count, seconds))
    # Longer than process 0 waits for one that does not respond.
    verdict = client.blocking_key_value_get("stepdiff/verdict", 2000 * seconds)
    if failure is not None and verdict == AGREED:
        raise failure
    if verdict != AGREED:
        raise InputError(verdict)


def _verdict(client: Any, count: int, seconds: int) -> str:
    """`AGREED`, or what differs between which processes."""
    first: dict[str, Any] = {}
    for process in range(count):
        try:
            reported = client.blocking_key_value_get(f"stepdiff/start/{process}", 1000 * seconds)
        except jax.errors.JaxRuntimeError:
            return f"process {process} of {count} did not report in within {seconds} s"
        fields = json.loads(reported)
        first = first or fields
        # An error in one process is more informative than the differences that follow from it.
        for finder, other in ((fields, first), (first, fields)):
            if FOUND in finder and FOUND not in other:
                return f"only process {process if finder is fields else 0} finds: {finder[FOUND]}"
        for name in sorted(first.keys() | fields.keys()):
            if first.get(name) != fields.get(name):
                return (
                    f"processes differ: {name} is {shorten(first.get(name))} in process 0, "
                    f"{shorten(fields.get(name))} in process {process}"
                )
    return AGREED


def _start(environment: Mapping[str, str]) -> bool:
    """Join the other processes; False if this process is alone."""
    place, automatic = read_environment(environment), environment.get(DISTRIBUTED, "")
    if automatic not in ("", "auto"):
        raise InputError(f"{DISTRIBUTED} must be auto or empty, got {automatic!r}")
    if automatic and place:
        raise InputError(f"{DISTRIBUTED}=auto and {COORDINATOR} are mutually exclusive")
    if not automatic and not place:
        return False
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # JAX's own SIGTERM handler would swallow the signal until ours is set.
    jax.config.update("jax_enable_preemption_service", False)
    settings: dict[str, Any] = {
        "heartbeat_timeout_seconds": HEARTBEAT_SECONDS,
        "initialization_timeout": _start_seconds(environment),
    }
    if place:
        # Where it fails JAX aborts by itself; this line says in which process.
        joining = f"process {place.process} of {place.processes} joins {place.coordinator}"
        print(f"stepdiff: {joining}", file=sys.stderr, flush=True)
        jax.distributed.initialize(*place, cluster_detection_method="deactivate", **settings)
        return True
    try:
        jax.distributed.initialize(**settings)
    except ValueError as error:
        raise InputError(f"{DISTRIBUTED}=auto: JAX finds no cluster here: {error}") from error
    return True


def _leave(seconds: float) -> bool:
    """Wait for all processes and disconnect; False if they do not arrive in time."""
    client, _, _ = _runtime()
    try:
        client.wait_at_barrier("stepdiff/leave", int(1000 * seconds))
    except jax.errors.JaxRuntimeError:
        return False
    jax.distributed.shutdown()
    return True


def _end(message: str, code: int) -> None:
    _, count, process = _runtime()
    print(f"stepdiff: error: process {process} of {count}: {message}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: JAX's own exit handler waits for the other processes.
    os._exit(code)


def _runtime() -> tuple[Any, int, int]:
    """JAX's coordination client (or None), the process count and this process's index.

    `jax.process_count` would initialise the devices and thereby wait for all processes.
    """
    from jax._src import distributed  # the service has no public API; Orbax does this, too

    state = distributed.global_state
    return state.client, state.num_processes, state.process_id


def _start_seconds(environment: Mapping[str, str]) -> int:
    if START_SECONDS not in environment:
        return 300
    return _integer(environment, START_SECONDS, least=1)


def _integer(environment: Mapping[str, str], name: str, least: int) -> int:
    text = environment[name]
    if not text.isdecimal() or int(text) < least:
        raise InputError(f"{name} must be an integer of at least {least}, got {text!r}")
    return int(text)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
