"""What the Llama families share: the file formats of their weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from stepdiff_jax.config import LlamaConfig
from stepdiff_jax.families.common.base import Family, Tensor
from stepdiff_jax.families.common.llama_config import (
    FILE,
    PLAIN,
    check_llama_config,
    llama_config_json,
    read_llama_config,
    read_meta_params,
)
from stepdiff_jax.families.common.llama_tensors import checkpoint_tensors, left_out


class LlamaFamily(Family):
    """A family whose checkpoints have the tensors of `transformers.LlamaForCausalLM`."""

    rope_types: ClassVar[tuple[str, ...]] = (PLAIN,)
    """Kinds of rotary frequencies, by transformers' names."""
    positions: ClassVar[int]
    """The longest context, in tokens, that our config.json declares."""
    bos_id: ClassVar[int]
    stop_ids: ClassVar[tuple[int, ...]]
    """Ids of `bos` and `stops` in the published tokenizer."""

    def read_config(self, directory: Path) -> LlamaConfig:
        return read_llama_config(directory, self.name, self.rope_types)

    def check_config(self, directory: Path, config: LlamaConfig) -> None:
        check_llama_config(directory / FILE, self.read_config(directory), config)

    def config_json(self, config: LlamaConfig) -> dict[str, Any]:
        return llama_config_json(
            config, positions=self.positions, bos=self.bos_id, ends=self.stop_ids
        )

    def read_params(
        self, path: Path, params: Mapping[str, Any], vocabulary_size: int, mlp_width: int
    ) -> LlamaConfig:
        return read_meta_params(path, params, vocabulary_size, mlp_width, self.name)

    def tensors(self, config: LlamaConfig) -> tuple[Tensor, ...]:
        return checkpoint_tensors(config)

    def left_out(self, name: str, config: LlamaConfig) -> str | None:
        return left_out(name, config)
