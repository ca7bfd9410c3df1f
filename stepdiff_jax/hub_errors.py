"""Tells why a model of transformers could not be loaded: the user's name for it, or the hub."""

from collections.abc import Iterator

from stepdiff_jax.errors import InputError, OutsideFailure
from stepdiff_jax.outside import is_outside

LONGEST = 300
SERVER_ERRORS = 500
"""HTTP status codes from here on are the server's fault."""


def unloadable(what: str, error: Exception) -> InputError | OutsideFailure:
    """The exception to raise for one that transformers raised while loading, on one line.

    Args:
        what: the model, as the user named it.
    Returns:
        an OutsideFailure if the hub could not be reached or failed, or a disk did.
    """
    if any(map(_is_outside, _chain(error))):
        return OutsideFailure(f"{what}: {_one_line(error)}; starting again resumes")
    return InputError(f"{what}: cannot be loaded: {_one_line(error)}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_outside(error: BaseException) -> bool:
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if isinstance(error, HfHubHTTPError):
        status = getattr(error.response, "status_code", 0)
        return status >= SERVER_ERRORS
    if isinstance(error, LocalEntryNotFoundError):  # it is not cached, and was asked for in vain
        return not HF_HUB_OFFLINE
    return is_outside(error)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:LONGEST]
