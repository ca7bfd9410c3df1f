"""How each size of Llama-2 is laid out on each kind of accelerator; all of it is ours.

`stepdiff train stepdiff_70b@v5e` is the experiment with this preset. One group of chips holds one
copy of the weights, sharded fully ("fsdp"); more chips hold more copies ("data"). So the gathering
of weights stays on a group's fast links, and a preset serves every slice whose chips are a multiple
of the group. Rows of a batch are spread over all chips: raise `data.batch_rows` with them.
"""

from dataclasses import dataclass, replace
from typing import Literal

from stepdiff_jax.config import (
    LLAMA_2_7B,
    LLAMA_2_13B,
    LLAMA_2_70B,
    Experiment,
    LlamaConfig,
    MeshConfig,
)
from stepdiff_jax.errors import InputError


@dataclass(frozen=True)
class Preset:
    """Chips that hold one copy of the frozen weights, and how those are stored."""

    group: int
    quantization: Literal["", "int8", "int4"] = ""


PRESETS: dict[str, dict[LlamaConfig, Preset]] = {
    "v5e": {LLAMA_2_7B: Preset(4), LLAMA_2_13B: Preset(8), LLAMA_2_70B: Preset(16)},
    "v6e": {LLAMA_2_7B: Preset(4), LLAMA_2_13B: Preset(4), LLAMA_2_70B: Preset(8)},
    "v5p": {LLAMA_2_7B: Preset(4), LLAMA_2_13B: Preset(4), LLAMA_2_70B: Preset(4)},
    "h100": {LLAMA_2_7B: Preset(8), LLAMA_2_13B: Preset(8), LLAMA_2_70B: Preset(8)},
    "h200": {LLAMA_2_7B: Preset(1), LLAMA_2_13B: Preset(1), LLAMA_2_70B: Preset(1, "int8")},
}
"""Accelerator -> language model -> preset. "h100" is for nodes of eight, "h200" for one GPU."""


def on_accelerator(experiment: Experiment, name: str) -> Experiment:
    """The experiment with the mesh, and where it needs it the quantisation, for an accelerator.

    Raises InputError for an unknown accelerator, or a language model without a preset.
    """
    if name not in PRESETS:
        raise InputError(f"accelerator {name!r}: there are presets for {', '.join(PRESETS)}")
    preset = PRESETS[name].get(experiment.llama)
    if preset is None:
        raise InputError(
            f"accelerator {name!r}: presets are for Llama-2 7B, 13B and 70B only; choose mesh.* "
            f"for {experiment.name}"
        )
    return replace(
        experiment,
        llama=replace(experiment.llama, quantization=preset.quantization),
        mesh=MeshConfig(data=-1, fsdp=preset.group),
    )
