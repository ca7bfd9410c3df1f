"""A compiled step as a file: made on any machine by `stepdiff aot --save`."""

import json
import pickle
from pathlib import Path
from typing import Any

import jax
from jax.experimental import serialize_executable
from jax.experimental.compilation_cache import compilation_cache

from stepdiff_jax.errors import InputError
from stepdiff_jax.files import write_bytes


def compile_anew(lowered: jax.stages.Lowered) -> jax.stages.Compiled:
    """Compile without JAX's compilation cache (`JAX_COMPILATION_CACHE_DIR`).

    On CPU (JAX 0.10) an executable that was read from this cache lacks functions when it is saved
    again, which is noticed only where it is run; and the time of compilation would be that of
    reading a file.
    """
    enabled = jax.config.values["jax_enable_compilation_cache"]
    _enable_cache(False)
    try:
        return lowered.compile()
    finally:
        _enable_cache(enabled)


def _enable_cache(enabled: bool) -> None:
    jax.config.update("jax_enable_compilation_cache", enabled)
    compilation_cache.reset_cache()  # JAX asks the setting once


def save_executable(compiled: jax.stages.Compiled, path: Path, *, config_hash: str) -> None:
    """Write the executable and what it was compiled from, atomically.

    Args:
        compiled: by `compile_anew`.
        config_hash: of the experiment, mesh included (`program_hash`).
    """
    payload, _, _ = serialize_executable.serialize(compiled)
    header = {"config_hash": config_hash, "jax": jax.__version__}
    write_bytes(path, json.dumps(header).encode() + b"\n" + payload)


def load_executable(path: Path, arguments: tuple, step: Any, *, config_hash: str) -> Any:
    """The executable as a function with the signature of the step it was compiled from.

    The file holds machine code that is run unchecked: load only files you made.

    Args:
        arguments: the step's arguments, as arrays or shapes; they give the input structure.
        step: the same step, not compiled; it gives the output structure.
    Raises:
        InputError: the file is missing, or was made for another experiment, mesh, JAX version or
            device.
    """
    try:
        header, payload = path.read_bytes().split(b"\n", 1)
        found = dict(json.loads(header))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not an executable of `stepdiff aot --save`: {error}") from error
    for field, wanted in (("config_hash", config_hash), ("jax", jax.__version__)):
        if found.get(field) != wanted:
            raise InputError(
                f"{path}: compiled with {field} {found.get(field)}, here it is {wanted}"
            )
    inputs = jax.tree.structure((arguments, {}))
    outputs = jax.tree.structure(jax.eval_shape(step, *arguments))
    try:
        return serialize_executable.deserialize_and_load(payload, inputs, outputs)
    except (jax.errors.JaxRuntimeError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be loaded on these devices: {reason}") from error
