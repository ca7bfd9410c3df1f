"""Llama-3 instruct (arXiv 2407.21783): byte-level BPE, header tokens, scaled rotary frequencies.

Sizes are 3.1's 8B and 70B and 3.2's 1B and 3B, which tie their embeddings. The published template
of 3.1 and 3.2 begins every system turn with the lines "Cutting Knowledge Date" and "Today Date";
that of 3.0 does not, and we omit them (ours), so that a prompt has only the paper's words and does
not depend on the date.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepdiff_jax.config import LlamaConfig, RopeScaling
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Piece, Preset, Role, Size, Special, TokenizerModel
from stepdiff_jax.families.common.llama_config import PLAIN
from stepdiff_jax.families.common.llama_family import LlamaFamily
from stepdiff_jax.families.common.tokenizer_files import HuggingFace, is_tiktoken

SCALING = RopeScaling("llama3", factor=8.0)
BASE = LlamaConfig(
    vocabulary_size=128256,
    kv_heads=8,
    mlp_width=14336,
    rope_theta=500_000.0,
    family="llama3",
    rope_scaling=SCALING,
)
SMALL = replace(BASE, tied_embeddings=True, rope_scaling=replace(SCALING, factor=32.0))
LLAMA_3_8B = BASE
LLAMA_3_70B = replace(BASE, width=8192, layers=80, heads=64, mlp_width=28672)
LLAMA_3_1B = replace(SMALL, width=2048, layers=16, heads=32, mlp_width=8192)
LLAMA_3_3B = replace(SMALL, width=3072, layers=28, heads=24, mlp_width=8192)

DATES = re.compile(r"Cutting Knowledge Date: [^\n]*\nToday Date: [^\n]*\n\n")


def _size(version: str, billions: str, config: LlamaConfig, **groups: int) -> Size:
    directory = f"weights/llama-{version}-{billions}-instruct"
    presets = {accelerator: Preset(group) for accelerator, group in groups.items()}
    return Size(f"llama3-{billions}", config, directory, f"{directory}/tokenizer.json", presets)


SIZES = {
    "1b": _size("3.2", "1b", LLAMA_3_1B, v5e=4, v6e=4, v5p=4, h100=8, h200=1),
    "3b": _size("3.2", "3b", LLAMA_3_3B, v5e=4, v6e=4, v5p=4, h100=8, h200=1),
    "8b": _size("3.1", "8b", LLAMA_3_8B, v5e=4, v6e=4, v5p=4, h100=8, h200=1),
    "70b": _size("3.1", "70b", LLAMA_3_70B, v5e=16, v6e=8, v5p=4, h100=8).and_on(
        h200=Preset(1, "int8")
    ),
}


class Llama3(LlamaFamily):
    """Llama-3 instruct."""

    title = "Llama-3"
    sizes = SIZES
    bos, end = "<|begin_of_text|>", "<|eot_id|>"
    stops = ("<|eot_id|>", "<|end_of_text|>", "<|eom_id|>")
    bos_id, stop_ids = 128000, (128009, 128001, 128008)
    rope_types = ("llama3", PLAIN)
    positions = 131072
    leading_space = False
    trims = True

    def turn(self, previous: Role | None, role: Role) -> tuple[Piece, ...]:
        header = (Special("<|start_header_id|>"), role, Special("<|end_header_id|>"), "\n\n")
        if previous in (None, "assistant"):
            return header
        return (Special("<|eot_id|>"), *header)

    def comparable(self, rendered: str) -> str:
        return DATES.sub("", rendered, count=1)

    def open_tokenizer(self, path: Path) -> TokenizerModel:
        """A tokenizer.json; Meta's own tiktoken `tokenizer.model` is not supported."""
        if path.suffix != ".json":
            kind = "Meta's tiktoken vocabulary" if is_tiktoken(path) else "not a tokenizer.json"
            raise InputError(
                f"{path}: {kind}; Llama-3's tokenizer is read from the tokenizer.json of its "
                "Hugging Face directory"
            )
        return HuggingFace(path, byte_level=True)

    def read_params(
        self, path: Path, params: Mapping[str, Any], vocabulary_size: int, mlp_width: int
    ) -> LlamaConfig:
        """Meta's file says whether frequencies are scaled, but not how: the scaling, and whether
        embeddings are tied, are those of the published size."""
        config = super().read_params(path, params, vocabulary_size, mlp_width)
        if not params.get("use_scaled_rope"):
            return config
        for size in self.sizes.values():
            scaled = replace(
                config,
                rope_scaling=size.config.rope_scaling,
                tied_embeddings=size.config.tied_embeddings,
            )
            if scaled == size.config:
                return scaled
        raise InputError(
            f"{path}: use_scaled_rope is true, but its sizes match none of "
            f"{', '.join(self.sizes)}, so the scaling of frequencies is unknown"
        )


FAMILY = Llama3()
