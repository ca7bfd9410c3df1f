"""What a language model reads, as one text, for logs."""

from collections.abc import Mapping

from stepdiff_jax.data.chat import in_template
from stepdiff_jax.data.prompts import Text, Video
from stepdiff_jax.families.common.base import Family, Special
from stepdiff_jax.inference.requests import Request


def prompt_text(request: Request, family: Family, names: Mapping[int, str]) -> str:
    """A request in the family's chat template up to where the answer begins.

    Special tokens stand by their names, and videos as <video:NAME>.

    Args:
        names: the name of each clip that the request shows, by its index into the latents.
    Raises:
        InputError: as `in_template`.
    """
    chat = in_template(request.conversation, family)
    (branch,) = chat.branches
    parts = (Special(family.bos), *chat.prefix, *branch)
    return "".join(_text(part, names) for part in parts)


def _text(part: Text | Video | Special, names: Mapping[int, str]) -> str:
    if isinstance(part, Video):
        return f"<video:{names[part.clip]}>"
    return part.name if isinstance(part, Special) else part.text
