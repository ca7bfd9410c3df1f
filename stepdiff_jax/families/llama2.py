"""Llama-2-chat (arXiv 2307.09288): SentencePiece, and a chat template that is plain text.

The line breaks of the template are Llama-2's own (github.com/meta-llama/llama, generation.py).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Piece, Preset, Role, Size, Special, TokenizerModel
from stepdiff_jax.families.common.llama_family import LlamaFamily
from stepdiff_jax.families.common.tokenizer_files import HuggingFace, SentencePiece, is_tiktoken

LLAMA_2_7B = LlamaConfig()
LLAMA_2_13B = LlamaConfig(width=5120, layers=40, heads=40, kv_heads=40, mlp_width=13824)
LLAMA_2_70B = LlamaConfig(width=8192, layers=80, heads=64, kv_heads=8, mlp_width=28672)

TURNS: dict[tuple[Role | None, Role], tuple[Piece, ...]] = {
    (None, "system"): ("[INST] <<SYS>>\n",),
    (None, "user"): ("[INST] ",),
    ("system", "user"): ("\n<</SYS>>\n\n",),
    ("user", "assistant"): (" [/INST]",),
    ("assistant", "user"): (Special("<s>"), "[INST] "),
}


def _size(label: str, config: LlamaConfig, **groups: int) -> Size:
    directory = f"weights/llama-2-{label}-chat"
    presets = {accelerator: Preset(group) for accelerator, group in groups.items()}
    return Size(label, config, directory, f"{directory}/tokenizer.model", presets)


SIZES = {
    "7b": _size("7b", LLAMA_2_7B, v5e=4, v6e=4, v5p=4, h100=8, h200=1),
    "13b": _size("13b", LLAMA_2_13B, v5e=8, v6e=4, v5p=4, h100=8, h200=1),
    "70b": _size("70b", LLAMA_2_70B, v5e=16, v6e=8, v5p=4, h100=8).and_on(h200=Preset(1, "int8")),
}


class Llama2(LlamaFamily):
    """Llama-2-chat."""

    title = "Llama-2"
    sizes = SIZES
    bos, end, stops = "<s>", "</s>", ("</s>",)
    bos_id, stop_ids = 1, (2,)
    positions = 4096
    leading_space = True
    trims = False

    def turn(self, previous: Role | None, role: Role) -> tuple[Piece, ...]:
        if (previous, role) not in TURNS:
            raise InputError(f"Llama-2's chat template has no {role} turn after {previous}")
        return TURNS[previous, role]

    def open_tokenizer(self, path: Path) -> TokenizerModel:
        """A tokenizer.model or tokenizer.json.

        Both produce the same ids, with one exception: a tokenizer.json that transformers 5 converts
        from a tokenizer.model merges two spaces first, where Llama-2 does so last. Meta's own file
        is correct.
        """
        if path.suffix == ".json":
            return HuggingFace(path, byte_level=False)
        if is_tiktoken(path):
            raise InputError(
                f"{path}: a tiktoken vocabulary, like Llama-3's, but llama.family is llama2"
            )
        return SentencePiece(path)

    def read_params(
        self, path: Path, params: Mapping[str, Any], vocabulary_size: int, mlp_width: int
    ) -> LlamaConfig:
        if params.get("use_scaled_rope"):
            raise InputError(f"{path}: use_scaled_rope is true, but llama.family is llama2")
        return super().read_params(path, params, vocabulary_size, mlp_width)


FAMILY = Llama2()
