"""Checkpoints of what training changes: trained tree, optimizer, step and data iterator.

The frozen weights are never written, only their fingerprint, and only a model with the same
fingerprint accepts a checkpoint. Trees are stored flat, each array by its dotted path, so that a
missing or extra array is an error that names it.
"""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging as absl_logging
from orbax.checkpoint import v1 as ocp

from stepdiff_jax.config import CHECKPOINTS
from stepdiff_jax.errors import InputError
from stepdiff_jax.local_path import local_path
from stepdiff_jax.outside import is_outside

MANIFEST = "manifest.ocdbt"
"""The file of a stored tree that says where its arrays' bytes are; without it, all are lost."""


@dataclasses.dataclass(frozen=True)
class CheckpointMetadata:
    """What the model of a checkpoint was built from.

    fingerprint: of the frozen weights; None in a request accepts any.
    resampler: the fields of `ResamplerConfig`.
    config_hash: of the whole experiment's configuration.
    """

    fingerprint: str | None
    resampler: dict[str, int]
    config_hash: str


class Restored(NamedTuple):
    """A checkpoint; the trees have the requested structure, dtypes and shardings."""

    step: int
    trainable: Any
    opt_state: Any
    iterator_state: Any


class TrainedWeights(NamedTuple):
    """Trained arrays by dotted name, on the host, with their step and metadata."""

    step: int
    metadata: CheckpointMetadata
    arrays: dict[str, np.ndarray]


class Checkpoints:
    """The checkpoints of one run; a context manager that waits for the last one on exit.

    Every process of a run calls the same methods in the same order.
    """

    def __init__(self, directory: Path, keep: int):
        """Opens `directory`, creating it if needed; keeps the `keep` newest checkpoints.

        Incomplete checkpoints left by a killed process are removed.

        Raises:
            InputError: `keep` is not positive, or Orbax cannot store a directory of this name.
        """
        if keep < 1:
            raise InputError(f"loop.keep_checkpoints must be positive, got {keep}")
        self.directory = directory
        self._unchecked: tuple[int, dict[str, set[str]]] | None = None
        self._checkpointer = _open(
            directory,
            preservation_policy=ocp.training.preservation_policies.LatestN(keep),
            cleanup_tmp_directories=True,
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._checkpointer.close()

    def save(
        self,
        step: int,
        trainable: Any,
        opt_state: Any,
        iterator_state: Any,
        metadata: CheckpointMetadata,
    ) -> None:
        """Write in the background; returns when the arrays may be donated.

        Args:
            step: number of steps that these weights were trained for.
            iterator_state: of the data iterator; JSON-serializable, the same on every process.
        Raises:
            InputError: the checkpoint before this one is incomplete, see `wait`.
        """
        self.wait()
        trees = {"trainable": _flatten(trainable), "opt_state": _flatten(opt_state)}
        self._unchecked = step, {name: set(tree) for name, tree in trees.items()}
        self._checkpointer.save_checkpointables_async(
            step,
            {**trees, "iterator": iterator_state},
            force=True,
            overwrite=True,
            custom_metadata=dataclasses.asdict(metadata),
        )

    def wait(self) -> None:
        """Block until the last checkpoint is written, and check that it can be read.

        Raises:
            InputError: its manifest or an array's description is missing, so that it could never
                be restored.
        """
        self._checkpointer.wait()
        saved, self._unchecked = self._unchecked, None
        if saved is not None and jax.process_index() == 0:
            _require_readable(self._checkpointer, self.directory, *saved)

    def restore(
        self,
        trainable: Any,
        opt_state: Any,
        metadata: CheckpointMetadata,
        earlier_hashes: Sequence[str] = (),
    ) -> Restored | None:
        """The newest complete checkpoint, or None if there is none.

        Args:
            trainable, opt_state: trees of arrays, or of ShapeDtypeStructs with shardings.
            metadata: of the requesting model. A fingerprint of None is not compared.
            earlier_hashes: other values of `config_hash` that are accepted.
        Raises:
            InputError: it was saved by another model: its metadata, or an array's name or shape,
                differs.
        """
        found = _newest_complete(self._checkpointer)
        if found is None:
            return None
        step, saved, stored = found
        for field, value in dataclasses.asdict(metadata).items():
            earlier = field == "config_hash" and saved.get(field) in earlier_hashes
            if value is not None and not earlier:
                _require_equal(self.directory / str(step), field, saved.get(field), value)
        if "opt_state" not in stored:
            raise InputError(
                f"{self.directory / str(step)}: trained weights alone, without the optimizer's "
                "state; to start from them, set weights.initial_run in another run directory"
            )
        trees = {"trainable": trainable, "opt_state": opt_state}
        abstract = {
            name: _checked_abstract(self.directory / str(step), name, _flatten(tree), stored[name])
            for name, tree in trees.items()
        }
        loaded = self._checkpointer.load_checkpointables(step, {**abstract, "iterator": None})
        return Restored(
            step,
            _unflatten(trainable, loaded["trainable"]),
            _unflatten(opt_state, loaded["opt_state"]),
            loaded["iterator"],
        )


def load_trained(run_directory: Path, trainable: Any, *, fingerprint: str | None = None) -> Any:
    """The newest trained weights of a run.

    Args:
        trainable: the tree to fill: arrays, or ShapeDtypeStructs with shardings.
        fingerprint: of the frozen weights; None accepts any.
    Returns:
        a new tree with the structure, dtypes and shardings of `trainable`.
    Raises:
        InputError: there is no complete checkpoint, the fingerprint differs, or an array is
            missing, extra or of another shape.
    """
    return _unflatten(trainable, _load_trained(run_directory, _flatten(trainable), fingerprint))


def _load_trained(
    run_directory: Path, wanted: dict[str, Any], fingerprint: str | None
) -> dict[str, Any]:
    directory = Path(run_directory) / CHECKPOINTS
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory, hence no trained weights")
    with _open(directory) as checkpointer:
        found = _newest_complete(checkpointer)
        if found is None:
            raise InputError(f"{directory}: holds no complete checkpoint")
        step, saved, stored = found
        if fingerprint is not None:
            _require_equal(
                directory / str(step), "fingerprint", saved.get("fingerprint"), fingerprint
            )
        abstract = _checked_abstract(
            directory / str(step), "trainable", wanted, stored["trainable"]
        )
        return checkpointer.load_checkpointables(step, {"trainable": abstract})["trainable"]


def load_initial(run_directory: Path, fresh: Any, fingerprint: str | None) -> Any:
    """The newest trained weights of a run as the start of another one, which may train more.

    Arrays of the language model that the run did not train keep their values from `fresh`; a line
    on standard error lists them.

    Args:
        fresh: the trained tree of the new run.
    Raises:
        InputError: as `load_trained`.
    """
    arrays, stored = _flatten(fresh), trained_names(run_directory)
    kept = {
        name: array
        for name, array in arrays.items()
        if name.startswith("llama.") and name not in stored
    }
    if kept and jax.process_index() == 0:
        print(
            f"{run_directory}: did not train {', '.join(kept)}; these start fresh", file=sys.stderr
        )
    wanted = {name: array for name, array in arrays.items() if name not in kept}
    loaded = _load_trained(run_directory, wanted, fingerprint)
    return _unflatten(fresh, kept | loaded)


def check_trained(run_directory: Path, trainable: Any, *, initial: bool = False) -> None:
    """Check what `load_trained` will read, by its names and shapes alone.

    Args:
        trainable: the tree to fill, as arrays or shapes.
        initial: for `load_initial`, which leaves arrays that the run did not train as they are.
    Raises:
        InputError: as `load_trained` or `load_initial`, except for the fingerprint.
    """
    directory, wanted = Path(run_directory) / CHECKPOINTS, _flatten(trainable)
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory, hence no trained weights")
    with _open(directory) as checkpointer:
        found = _newest_complete(checkpointer)
    if found is None:
        raise InputError(f"{directory}: holds no complete checkpoint")
    stored = found[2]["trainable"]
    if initial:
        wanted = {
            name: array
            for name, array in wanted.items()
            if name in stored or not name.startswith("llama.")
        }
    _checked_abstract(directory / str(found[0]), "trainable", wanted, stored)


def trained_names(run_directory: Path) -> set[str]:
    """The dotted names of a run's newest trained weights; empty if there are none."""
    directory = Path(run_directory) / CHECKPOINTS
    if not directory.is_dir():
        return set()
    with _open(directory) as checkpointer:
        found = _newest_complete(checkpointer)
    return set(found[2]["trainable"]) if found else set()


def read_trained(run_directory: Path) -> TrainedWeights:
    """The newest trained weights of a run as stored; no model is needed.

    Raises InputError if there is no complete checkpoint.
    """
    directory = Path(run_directory) / CHECKPOINTS
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory, hence no trained weights")
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    with _open(directory) as checkpointer:
        found = _newest_complete(checkpointer)
        if found is None:
            raise InputError(f"{directory}: holds no complete checkpoint")
        step, saved, stored = found
        abstract = {
            name: jax.ShapeDtypeStruct(tuple(one.shape), one.dtype, sharding=device)
            for name, one in stored["trainable"].items()
        }
        loaded = checkpointer.load_checkpointables(step, {"trainable": abstract})["trainable"]
    arrays = {name: np.asarray(array) for name, array in loaded.items()}
    return TrainedWeights(step, CheckpointMetadata(**saved), arrays)


def write_trained(run_directory: Path, trained: TrainedWeights) -> None:
    """Write a checkpoint of trained weights alone: other runs can start from it, but not resume."""
    directory = Path(run_directory) / CHECKPOINTS
    with _open(directory) as checkpointer:
        checkpointer.save_checkpointables(
            trained.step,
            {"trainable": trained.arrays},
            custom_metadata=dataclasses.asdict(trained.metadata),
        )


def _open(directory: Path, **options: Any) -> ocp.training.Checkpointer:
    absl_logging.set_verbosity(absl_logging.ERROR)  # Orbax logs every step of a save
    registry = ocp.handlers.local_registry()
    registry.add(ocp.handlers.JsonHandler, checkpointable_name="iterator")
    context = ocp.Context(
        checkpointables_options=ocp.options.CheckpointablesOptions(registry=registry)
    )
    return ocp.training.Checkpointer(local_path(directory), context=context, **options)


def _require_readable(
    checkpointer: ocp.training.Checkpointer,
    directory: Path,
    step: int,
    trees: dict[str, set[str]],
) -> None:
    """Raise InputError unless a checkpoint describes all arrays of `trees` and has its manifests.

    Orbax reports some failures to write only in its log.
    """
    path = directory / str(step)
    try:
        stored = checkpointer.checkpointables_metadata(step).metadata or {}
        for name, arrays in trees.items():
            if missing := sorted(arrays - set(stored.get(name) or ())):
                raise ValueError(f"{name}.{missing[0]} is not in it")
            if not (path / name / MANIFEST).stat().st_size:
                raise ValueError(f"{name}/{MANIFEST} is empty")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: was written, but cannot be read again: {error}") from error


def _newest_complete(
    checkpointer: ocp.training.Checkpointer,
) -> tuple[int, dict[str, Any], dict[str, Any]] | None:
    """Step, our metadata, and the stored arrays' metadata by tree and name.

    Orbax renames a finished checkpoint into place, so an unfinished one is rarely listed;
    but a directory that was emptied or partly copied would be.
    """
    for checkpoint in reversed(checkpointer.checkpoints):
        try:
            found = checkpointer.checkpointables_metadata(checkpoint)
        except (OSError, ValueError, KeyError) as error:
            if is_outside(error):  # a disk that fails must not make the run begin anew
                raise
            continue
        # The entry of a tree without its manifest is None.
        if found.custom_metadata and (found.metadata or {}).get("trainable") is not None:
            return checkpoint.step, dict(found.custom_metadata), found.metadata
    return None


def _flatten(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {_name(path): leaf for path, leaf in leaves}


def _unflatten(tree: Any, arrays: dict[str, Any]) -> Any:
    return jax.tree_util.tree_map_with_path(lambda path, _: arrays[_name(path)], tree)


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")


def _checked_abstract(
    directory: Path, name: str, wanted: dict[str, Any], stored: dict[str, Any]
) -> dict[str, jax.ShapeDtypeStruct]:
    """Abstract arrays to load; raises InputError if the stored names or shapes differ."""
    if missing := sorted(wanted.keys() - stored.keys()):
        raise InputError(f"{directory}: field {name}.{missing[0]} is missing, but the model has it")
    if extra := sorted(stored.keys() - wanted.keys()):
        raise InputError(f"{directory}: field {name}.{extra[0]} is not in the model")
    for key, array in wanted.items():
        _require_equal(
            directory, f"{name}.{key} shape", tuple(stored[key].shape), tuple(array.shape)
        )
    return {
        key: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding)
        for key, array in wanted.items()
    }


def _require_equal(directory: Path, field: str, stored: Any, wanted: Any) -> None:
    if stored != wanted:
        hint = "; --allow-other-frozen-weights accepts it anyway" * (field == "fingerprint")
        raise InputError(
            f"{directory}: a checkpoint of another model: {field} is {stored}, this model's is "
            f"{wanted}{hint}"
        )
