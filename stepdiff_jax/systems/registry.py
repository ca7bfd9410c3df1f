"""The systems of `stepdiff evaluate --system NAME`, a line each."""

from stepdiff_jax.errors import InputError
from stepdiff_jax.plugins import load_named
from stepdiff_jax.systems.options import SystemOptions

TRAINED = "trained"
"""The system of an experiment itself, whose results are the run's."""

SYSTEMS = {
    TRAINED: "stepdiff_jax.systems.trained:Trained",
    "vlembed": "stepdiff_jax.systems.vlembed:InternVideoEmbeddings",
    "socratic": "stepdiff_jax.systems.socratic:Socratic",
}
"""Name -> MODULE:CLASS of its `SystemOptions`, imported when the system is asked for."""


def system_options(name: str) -> type[SystemOptions]:
    """The options of a system by name.

    Raises:
        InputError: an unknown name.
    """
    if name not in SYSTEMS:
        raise InputError(f"--system: there are {', '.join(SYSTEMS)}, got {name!r}")
    return load_named(SYSTEMS[name], "--system")
