"""A family's chat template as data, for the processor of an exported model."""

from typing import Any

from stepdiff_jax.data.chat import Rendered, in_template
from stepdiff_jax.data.prompts import Text, pair_conversation
from stepdiff_jax.families.common.base import Family, Special

QUESTION = "\0"
"""Placeholder for the question; no prompt contains it."""


def chat_json(family: Family) -> dict[str, Any]:
    """What `torch_model/processing_stepdiff.py` needs to know about a family.

    pair: the paper's prompt about two videos. A part is {"special": NAME}, {"video": INDEX}, or
    {"text": PARTS}, where the question goes between the PARTS.
    """
    chat = in_template(pair_conversation(0, 1, [(QUESTION, None)]), family)
    return {
        "bos": family.bos,
        "stops": list(family.stops),
        "leading_space": family.leading_space,
        "trims": family.trims,
        "pair": [_part(part) for part in (*chat.prefix, *chat.branches[0])],
    }


def _part(part: Rendered) -> dict[str, Any]:
    if isinstance(part, Special):
        return {"special": part.name}
    if isinstance(part, Text):
        return {"text": part.text.split(QUESTION)}
    return {"video": part.clip}
