"""The systems of `stepdiff evaluate --system NAME`, one per line."""

from stepdiff_jax.errors import InputError
from stepdiff_jax.plugins import load_named
from stepdiff_jax.systems.options import SystemOptions

TRAINED = "trained"
"""The experiment's own system, whose results are those of its run."""

SYSTEMS = {
    TRAINED: "stepdiff_jax.systems.trained:Trained",
    "vlembed": "stepdiff_jax.systems.vlembed:InternVideoEmbeddings",
    "vlembed_clip": "stepdiff_jax.systems.vlembed_clip:ClipEmbeddings",
    "socratic": "stepdiff_jax.systems.socratic:Socratic",
    "vclm_llava": "stepdiff_jax.systems.external_systems:Llava",
    "vclm": "stepdiff_jax.systems.trained:SingleVideos",
    "interleaved_idefics": "stepdiff_jax.systems.external_systems:Idefics",
    "interleaved": "stepdiff_jax.systems.trained:Interleaved",
    "stepdiff": "stepdiff_jax.systems.trained:StepDiff",
    "multi_video": "stepdiff_jax.systems.external_systems:MultiVideo",
    "blind": "stepdiff_jax.systems.blind:Blind",
}
"""Name -> MODULE:CLASS of its `SystemOptions`, imported on use."""


def system_options(name: str) -> type[SystemOptions]:
    """The options of a system by name.

    Raises:
        InputError: the name is unknown.
    """
    if name not in SYSTEMS:
        raise InputError(f"--system: must be one of {', '.join(SYSTEMS)}, got {name!r}")
    return load_named(SYSTEMS[name], "--system")
