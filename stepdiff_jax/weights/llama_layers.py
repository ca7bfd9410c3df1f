"""Maps the tensors of a language model to its stacks if its last layers have their own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from stepdiff_jax.families.common.base import Tensor
from stepdiff_jax.families.common.find import find_family
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.trainable import LAST_BLOCKS

BLOCKS = "blocks"


def place_layers(model: Llama, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Map `tensors` of a model with all layers in `blocks` to the stacks of `model`.

    A tensor of one layer goes into the stack of that layer; one of all layers is split.
    """
    return tuple(placed for tensor in tensors for placed in _place(model, tensor))


def stored_tensors(model: Llama) -> tuple[Tensor, ...]:
    """Every tensor of a Hugging Face checkpoint of `model`, mapped to its stacks."""
    family = find_family(model.config.family)
    return place_layers(model, family.tensors(model.config))


def _place(model: Llama, tensor: Tensor) -> Iterator[Tensor]:
    layers, first = model.config.layers, model.config.layers - model.last_layers
    stack, *rest = tensor.path
    if stack != BLOCKS or not model.last_layers:
        yield tensor
    elif tensor.layer is None:
        yield replace(tensor, rows=(0, first))
        yield replace(tensor, rows=(first, layers), path=(LAST_BLOCKS, *rest))
    elif tensor.layer < first:
        yield tensor
    else:
        yield replace(tensor, layer=tensor.layer - first, path=(LAST_BLOCKS, *rest))


def adapter_names(tensor: Tensor) -> tuple[str, str]:
    """The names of the two arrays of the adapter of a tensor's matrix, if it has one."""
    stack, *matrix = tensor.path
    name = ".".join((stack, "lora", *matrix))
    return f"{name}.a", f"{name}.b"
