"""Fills the language model and the encoder of an experiment from their files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh

from stepdiff_jax.config import EncoderConfig, LlamaConfig, LoraConfig
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.base import Tensor
from stepdiff_jax.families.common.find import find_family
from stepdiff_jax.families.common.llama_tensors import EMBEDDING, HEAD
from stepdiff_jax.models.internvideo import InternVideo
from stepdiff_jax.models.llama import Llama
from stepdiff_jax.weights.encoder_config import check_encoder_config
from stepdiff_jax.weights.llama_layers import place_layers
from stepdiff_jax.weights.load import Leaves, abstract_leaves, dotted, load_arrays, named_leaves
from stepdiff_jax.weights.native import native_tensors
from stepdiff_jax.weights.position_embedding import grid_side, interpolate_positions
from stepdiff_jax.weights.tensor_files import TensorFiles
from stepdiff_jax.weights.tensors import Ignored, Report, check, report

Module = TypeVar("Module", bound=nnx.Module)

POSITIONS = "video.position_embedding"
ENCODER_FILE = "encoder.safetensors"
"""The file that `stepdiff convert internvideo` and `convert clip` write into a directory."""


@dataclass(frozen=True)
class Plan:
    """A validated load: which tensor of which file goes where."""

    files: TensorFiles
    tensors: Sequence[Tensor]
    ignored: Sequence[Ignored] = ()
    kind: str = "stepdiff-jax"

    def report(self) -> Report:
        """The table of which array comes from where."""
        return report(self.files, self.tensors, self.kind, self.ignored)


def load_llama(config: LlamaConfig, path: str | Path, mesh: Mesh | None = None) -> Llama:
    """The frozen language model on a mesh, or on this process's first device.

    Args:
        path: a Hugging Face directory of safetensors, or a file written by `save_weights`.
    Raises:
        InputError: a file is missing, broken or of another model, as for `plan_llama`.
    """
    return fill_llama(_abstract(lambda: Llama(config, rngs=nnx.Rngs(0))), path, mesh)


def fill_llama(model: Llama, path: str | Path, mesh: Mesh | None = None, *, seed: int = 0) -> Llama:
    """Fill an abstract language model with its weights, in the dtypes of its arrays.

    Args:
        path, mesh: as `load_llama`.
        seed: for the adapters, which are in no file.
    Raises:
        InputError: as `load_llama`.
    """
    leaves = abstract_leaves(nnx.state(model), mesh)
    plan = plan_filled_llama(model, path)
    _require_tied(plan, model.config, leaves)
    return _fill(model, plan, leaves, _initial_adapters(model, leaves, seed))


def load_encoder(config: EncoderConfig, path: str | Path, mesh: Mesh | None = None) -> InternVideo:
    """The frozen encoder on a mesh, or on this process's first device.

    Args:
        path: a directory written by `stepdiff convert internvideo` or `convert clip`, or a file
            written by `save_weights`.
    Raises:
        InputError: a file is missing, broken or of another model, as for `plan_encoder`.
    """
    model = _abstract(lambda: InternVideo(config, rngs=nnx.Rngs(0)))
    return fill_encoder(model, config, path, mesh)


def fill_encoder(
    model: InternVideo, config: EncoderConfig, path: str | Path, mesh: Mesh | None = None
) -> InternVideo:
    """Fill an abstract encoder of a config with its weights; otherwise as `load_encoder`.

    Position embeddings of another image size are interpolated.
    """
    leaves = abstract_leaves(nnx.state(model), mesh)
    plan = plan_encoder(config, path)
    leaf, stored = leaves[POSITIONS], plan.files.tensors[POSITIONS]
    if stored.shape == leaf.shape:
        return _fill(model, plan, leaves)
    whole = jax.ShapeDtypeStruct(stored.shape, jnp.float32, sharding=leaf.sharding)
    read = plan.files.load({POSITIONS: whole})[POSITIONS]
    side = config.image_size // config.patch_size
    made = jax.jit(
        lambda array: interpolate_positions(array, side).astype(leaf.dtype),
        out_shardings=leaf.sharding,
    )(read)
    others = replace(plan, tensors=[one for one in plan.tensors if one.target != POSITIONS])
    return _fill(model, others, leaves, {POSITIONS: made})


def load_weights(model: Module, path: str | Path) -> Module:
    """Fill an abstract or concrete `model` from a file written by `save_weights`, on one device.

    Raises:
        InputError: the file is missing or broken, or a name or shape differs.
    """
    leaves = abstract_leaves(nnx.state(model), None)
    return _fill(model, _native_plan(model, TensorFiles(Path(path))), leaves)


def plan_llama(config: LlamaConfig, path: str | Path) -> Plan:
    """What `load_llama` would read, from the headers only.

    Raises:
        InputError: as `TensorFiles`; config.json belongs to another model; a tensor is missing or
            unknown, or has the wrong shape.
    """
    return plan_filled_llama(_abstract(lambda: Llama(config, rngs=nnx.Rngs(0))), path)


def plan_filled_llama(model: Llama, path: str | Path) -> Plan:
    """What `fill_llama` would read, from the headers only; raises InputError as `plan_llama`."""
    config = model.config
    if Path(path).is_file():
        stored = replace(config, lora=LoraConfig())
        plan = _native_plan(
            _abstract(lambda: Llama(stored, rngs=nnx.Rngs(0))), TensorFiles(Path(path))
        )
        return replace(plan, tensors=place_layers(model, plan.tensors))
    family = find_family(config.family)
    files = TensorFiles(Path(path))
    family.check_config(files.path, config)
    tensors = family.tensors(config)
    ignored = tuple(
        Ignored(stored.file.name, name, reason)
        for name, stored in files.tensors.items()
        if (reason := family.left_out(name, config)) is not None
    )
    check(files, tensors, ignored)
    return Plan(files, place_layers(model, tensors), ignored, "Hugging Face Llama")


def plan_encoder(config: EncoderConfig, path: str | Path) -> Plan:
    """What `load_encoder` would read, from the header only; raises the same InputErrors."""
    path = Path(path)
    file = path / ENCODER_FILE if path.is_dir() else path
    if path.is_dir() and not file.exists():
        raise InputError(
            f"{file}: no such file; `stepdiff convert internvideo CHECKPOINT --to DIR` writes it"
        )
    check_encoder_config(path, config)
    model = _abstract(lambda: InternVideo(config, rngs=nnx.Rngs(0)))
    files = TensorFiles(file)
    side, stored = config.image_size // config.patch_size, _stored_side(files)
    if stored in (None, side):
        return _native_plan(model, files)
    shape = files.tensors[POSITIONS].shape
    plan = _native_plan(model, files, {POSITIONS: shape})
    how = f"positions interpolated from {stored} x {stored} to {side} x {side} patches"
    return replace(plan, kind=f"{plan.kind}, {how}")


def _stored_side(files: TensorFiles) -> int | None:
    """Patches along the side of a stored encoder's images; None if its shapes do not say."""
    stored = files.tensors.get(POSITIONS)
    return grid_side(stored.shape[0]) if stored and len(stored.shape) == 2 else None


def _native_plan(
    model: nnx.Module, files: TensorFiles, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> Plan:
    """Of a file of our own names; `shapes` are those that may be stored instead of the model's."""
    tensors = tuple(
        replace(tensor, shape=(shapes or {}).get(tensor.name, tensor.shape))
        for tensor in native_tensors(named_leaves(nnx.state(model)))
    )
    check(files, tensors)
    return Plan(files, tensors, kind=files.metadata.get("kind", "stepdiff-jax"))


def _require_tied(plan: Plan, config: LlamaConfig, leaves: Leaves) -> None:
    """Raise InputError if the stored head of a tied model differs from its embedding."""
    if not config.tied_embeddings or HEAD not in plan.files.tensors:
        return
    stored = plan.files.tensors[HEAD]
    leaf = leaves["embedding"]
    both = dict.fromkeys((HEAD, EMBEDDING), leaf)
    if stored.shape == leaf.shape:
        loaded = plan.files.load(both)
        if bool(jax.jit(lambda a, b: jnp.all(a == b))(loaded[HEAD], loaded[EMBEDDING])):
            return
    raise InputError(f"{stored.file}: {HEAD} is not {EMBEDDING}, but llama.tied_embeddings is true")


def _abstract(make: Callable[[], Module]) -> Module:
    """A model without arrays: the random weights are never created."""
    return nnx.eval_shape(make)


def _initial_adapters(model: Llama, leaves: Leaves, seed: int) -> dict[str, jax.Array]:
    """The adapters' initial values by dotted name, made on their own devices.

    They come from the model's constructor; the compiler drops everything else that it creates.
    """
    wanted = {name: leaf for name, leaf in leaves.items() if ".lora." in name}
    if not wanted:
        return {}

    def make() -> dict[str, jax.Array]:
        made = Llama(model.config, last_layers=model.last_layers, rngs=nnx.Rngs(seed))
        arrays = named_leaves(nnx.state(made))
        return {name: arrays[name] for name in wanted}

    return jax.jit(make, out_shardings={name: leaf.sharding for name, leaf in wanted.items()})()


def _fill(
    model: Module, plan: Plan, leaves: Leaves, made: Mapping[str, jax.Array] | None = None
) -> Module:
    """An abstract model filled with the arrays of a plan and those in `made`."""
    arrays = load_arrays(plan.files, plan.tensors, leaves) | dict(made or {})
    graph, state = nnx.split(model)
    filled = jax.tree_util.tree_map_with_path(lambda path, _: arrays[dotted(path)], state)
    return nnx.merge(graph, filled)
