"""Vicuna v1.5 (lmsys.org, the language model of LLaVA-1.5): Llama-2's network, its own template.

The template is "vicuna_v1.1" of github.com/lm-sys/FastChat, fastchat/conversation.py: plain text,
in which the end-of-sequence token closes an answer.
"""

from dataclasses import replace

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Piece, Preset, Role, Size
from stepdiff_jax.families.llama2 import LLAMA_2_7B, LLAMA_2_13B, Llama2

TURNS: dict[tuple[Role | None, Role], tuple[Piece, ...]] = {
    (None, "system"): (),
    (None, "user"): ("USER: ",),
    ("system", "user"): (" USER: ",),
    ("user", "assistant"): (" ASSISTANT:",),
    ("assistant", "user"): ("USER: ",),
}


def _size(billions: str, config: LlamaConfig, **groups: int) -> Size:
    directory = f"weights/vicuna-{billions}-v1.5"
    presets = {accelerator: Preset(group) for accelerator, group in groups.items()}
    label = f"vicuna-{billions}"
    return Size(
        label, replace(config, family="vicuna"), directory, f"{directory}/tokenizer.model", presets
    )


class Vicuna(Llama2):
    """Vicuna v1.5: tokenizer, tensors and config.json are Llama-2's."""

    title = "Vicuna"
    sizes = {  # noqa: RUF012
        "7b": _size("7b", LLAMA_2_7B, v5e=4, v6e=4, v5p=4, h100=8, h200=1),
        "13b": _size("13b", LLAMA_2_13B, v5e=8, v6e=4, v5p=4, h100=8, h200=1),
    }

    def turn(self, previous: Role | None, role: Role) -> tuple[Piece, ...]:
        if (previous, role) not in TURNS:
            raise InputError(f"Vicuna's chat template has no {role} turn after {previous}")
        return TURNS[previous, role]


FAMILY = Vicuna()
