"""How a published language model is laid out on each kind of accelerator (all ours).

`stepdiff train stepdiff@llama2-70b@v5e` is an experiment with such a preset. One group of chips
holds one copy of the weights, fully sharded ("fsdp"); more groups hold more copies ("data"). So
weights are gathered over a group's fast links only, and a preset serves every slice whose chip
count is a multiple of the group's. Rows of a batch are spread over all chips: raise
`data.batch_rows` with their number. Presets are defined with the sizes, in `families/`.
"""

from dataclasses import replace

from stepdiff_jax.config import Experiment, LoraConfig, MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_family


def on_accelerator(experiment: Experiment, name: str) -> Experiment:
    """The experiment with the mesh, and if needed the quantisation, for an accelerator.

    Raises InputError if the accelerator is unknown or the language model has no preset.
    """
    family = find_family(experiment.llama.family)
    base = replace(experiment.llama, lora=LoraConfig())  # adapters need no other layout
    published = [one for one in family.sizes.values() if one.config == base]
    if not published:
        raise InputError(
            f"accelerator {name!r}: presets are only for {family.title} {', '.join(family.sizes)}; "
            f"set mesh.* for {experiment.name}"
        )
    presets = published[0].presets
    if name not in presets:
        raise InputError(f"accelerator {name!r}: must be one of {', '.join(presets)}")
    return replace(
        experiment,
        llama=replace(experiment.llama, quantization=presets[name].quantization),
        mesh=MeshConfig(data=-1, fsdp=presets[name].group),
    )
