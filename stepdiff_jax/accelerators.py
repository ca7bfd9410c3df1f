"""How a published language model is laid out on each kind of accelerator; all of it is ours.

`stepdiff train stepdiff@llama2-70b@v5e` is the experiment with this preset. One group of chips
holds one copy of the weights, sharded fully ("fsdp"); more chips hold more copies ("data"). So the
gathering of weights stays on a group's fast links, and a preset serves every slice whose chips are
a multiple of the group. Rows of a batch are spread over all chips: raise `data.batch_rows` with
them. The presets stand with their sizes, in the files of `families/`.
"""

from dataclasses import replace

from stepdiff_jax.config import Experiment, LoraConfig, MeshConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_family


def on_accelerator(experiment: Experiment, name: str) -> Experiment:
    """The experiment with the mesh, and where it needs it the quantisation, for an accelerator.

    Raises InputError for an unknown accelerator, or a language model without a preset.
    """
    family = find_family(experiment.llama.family)
    base = replace(experiment.llama, lora=LoraConfig())  # adapters need no other layout
    published = [one for one in family.sizes.values() if one.config == base]
    if not published:
        raise InputError(
            f"accelerator {name!r}: presets are for {family.title} {', '.join(family.sizes)} only; "
            f"choose mesh.* for {experiment.name}"
        )
    presets = published[0].presets
    if name not in presets:
        raise InputError(f"accelerator {name!r}: there are presets for {', '.join(presets)}")
    return replace(
        experiment,
        llama=replace(experiment.llama, quantization=presets[name].quantization),
        mesh=MeshConfig(data=-1, fsdp=presets[name].group),
    )
