"""StepDiff in JAX: training a video-conditioned Llama-2 to compare two videos of one step.

Importing this package is quick and starts no JAX backend; `StepDiff` is loaded on first use.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["StepDiff", "__version__"]

if TYPE_CHECKING:
    from stepdiff_jax.inference.api import StepDiff


def __getattr__(name: str) -> Any:
    if name == "StepDiff":
        from stepdiff_jax.inference.api import StepDiff

        return StepDiff
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
