"""`stepdiff convert torch`: exports a run to a directory that transformers can load, and back.

Written without torch. Layout: config.json and the three files of `torch_model`; model*.safetensors
with encoder, resampler and, if requested, the language model; the tokenizer; `stepdiff_run.json`,
a description of the run, from which `stepdiff convert jax` restores it.
"""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from flax import nnx

from stepdiff_jax.checkpoint import CheckpointMetadata, TrainedWeights, read_trained, write_trained
from stepdiff_jax.config import Experiment
from stepdiff_jax.config_files import CONFIG_FILE, from_dict, read_experiment, to_dict
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.snapshots import local_snapshot
from stepdiff_jax.files import new_directory
from stepdiff_jax.weights.build import load_tokenizer
from stepdiff_jax.weights.export import adapters as peft
from stepdiff_jax.weights.export.chat import chat_json
from stepdiff_jax.weights.export.language_model import (
    Adapters,
    check_export,
    language_model_tensors,
    trained_arrays,
    trained_from_torch,
)
from stepdiff_jax.weights.export.model_card import model_card
from stepdiff_jax.weights.export.torch_names import (
    RESAMPLER,
    encoder_to_torch,
    resampler_from_torch,
    resampler_to_torch,
)
from stepdiff_jax.weights.load import named_leaves
from stepdiff_jax.weights.modules import load_encoder
from stepdiff_jax.weights.shards import Pending, write_file, write_shards
from stepdiff_jax.weights.tensor_files import TensorFiles

TEMPLATES = Path(__file__).parent / "torch_model"
RUN_FILE = "stepdiff_run.json"
PROJECTOR_FILE = "resampler.safetensors"


def export_torch(
    run: Path,
    directory: Path,
    *,
    llm: Literal["reference", "include"],
    base: str | None = None,
    adapters: Adapters = "apart",
) -> None:
    """Write a run's model for PyTorch.

    Args:
        llm: "include" also writes the language model's weights; "reference" only records where
            they are.
        base: that location, a Hugging Face name or directory; None uses the run's `weights.llama`,
            if that is a Hugging Face directory.
        adapters: "apart" writes adapters, if any, in peft's format into a subdirectory; "merged"
            adds them to the language model's weights.
    Raises:
        InputError: there are no trained weights; frozen weights are missing or of another model;
            the language model's location is unknown; a quantised language model cannot be
            included; trained weights of the language model would be left out; `directory` exists.
    """
    experiment, trained = read_experiment(run), read_trained(run)
    tokenizer = load_tokenizer(experiment)
    check_export(experiment, trained, llm, adapters)
    base = _base(experiment, base) if llm == "reference" else None
    if llm == "include" and experiment.llama.quantization:
        raise InputError(
            f"llama.quantization: {experiment.llama.quantization} weights cannot be exported; use "
            "--llm reference"
        )
    with new_directory(directory) as unfinished:
        for template in TEMPLATES.glob("*.py"):
            shutil.copyfile(template, unfinished / template.name)
        encoder = load_encoder(experiment.encoder, experiment.weights.encoder)
        leaves = {name: np.asarray(leaf) for name, leaf in named_leaves(nnx.state(encoder)).items()}
        tensors = encoder_to_torch(leaves, experiment.encoder) | _resampler(trained)
        pending = [_pending(name, array) for name, array in tensors.items()]
        if llm == "include":
            pending += language_model_tensors(experiment, trained, adapters)
        write_shards(unfinished, pending)
        config = _config(experiment, tokenizer, trained, base)
        if experiment.llama.lora.rank and adapters == "apart":
            config["adapter"] = peft.DIRECTORY
            arrays = trained_arrays(trained)
            peft.write_adapter(unfinished / peft.DIRECTORY, experiment, arrays, base)
        _write_json(unfinished / "config.json", config)
        _write_json(unfinished / "processor_stepdiff.json", _processor(experiment, tokenizer))
        _write_json(unfinished / RUN_FILE, _run(experiment, trained))
        shutil.copyfile(tokenizer.path, unfinished / f"tokenizer{tokenizer.path.suffix}")
        (unfinished / "README.md").write_text(model_card(run, experiment, trained.step, base))


def export_projector(run: Path, directory: Path) -> None:
    """Write only a run's resampler: `resampler.safetensors` and `stepdiff_run.json`.

    Raises InputError if there are no trained weights, if the run trained more than the resampler,
    or if `directory` exists.
    """
    experiment, trained = read_experiment(run), read_trained(run)
    if others := trained_arrays(trained):
        raise InputError(
            f"{run}: trained llama.{next(iter(others))} besides the resampler; use `stepdiff "
            "convert torch`"
        )
    tensors = _resampler(trained)
    with new_directory(directory) as unfinished:
        pending = [_pending(name, array) for name, array in tensors.items()]
        write_file(unfinished / PROJECTOR_FILE, pending, {"format": "pt"})
        _write_json(unfinished / RUN_FILE, _run(experiment, trained))


def import_run(directory: Path, run: Path) -> None:
    """Restore a run directory, with the same arrays, from `export_torch` or `export_projector`.

    It holds the trained weights and the configuration, for `weights.initial_run` of another run or
    `stepdiff compare --model`. Training cannot resume from it.

    Raises:
        InputError: a file or a tensor is missing; `run` exists.
    """
    path = directory / RUN_FILE
    try:
        stored = json.loads(path.read_text())
        metadata, step = CheckpointMetadata(**stored["checkpoint"]), int(stored["step"])
        fields = stored["experiment"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not of an exported run: {error!r}") from error
    experiment = from_dict(fields, path)
    projector = directory / PROJECTOR_FILE
    files = TensorFiles(projector if projector.exists() else directory)
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    wanted = {
        name: jax.ShapeDtypeStruct(tensor.shape, np.float32, sharding=device)
        for name, tensor in files.tensors.items()
        if name.startswith(RESAMPLER)
    }
    tensors = {name: np.asarray(array) for name, array in files.load(wanted).items()}
    try:
        arrays = resampler_from_torch(tensors, experiment.resampler.layers)
    except KeyError as error:
        raise InputError(f"{files.path}: missing tensor {error.args[0]}") from error
    arrays |= trained_from_torch(files, experiment)
    if experiment.llama.lora.rank:
        if not (directory / peft.DIRECTORY).is_dir():
            raise InputError(
                f"{directory}: its adapters are merged into the weights; only an export with "
                "--adapters apart can be imported"
            )
        arrays |= peft.read_adapter(directory / peft.DIRECTORY, experiment)
    with new_directory(run) as unfinished:
        _write_json(unfinished / CONFIG_FILE, fields)
        write_trained(unfinished, TrainedWeights(step, metadata, arrays))


def _base(experiment: Experiment, base: str | None) -> str:
    if base is not None:
        return base
    stored = local_snapshot(Path(experiment.weights.llama))
    if not (stored / "config.json").is_file():
        raise InputError(
            f"weights.llama: {stored} is not a Hugging Face directory; name one with --base, "
            "or use --llm include"
        )
    return str(stored.resolve())


def _resampler(trained: TrainedWeights) -> dict[str, np.ndarray]:
    arrays = {name: array for name, array in trained.arrays.items() if name.startswith(RESAMPLER)}
    return resampler_to_torch(arrays)


def _pending(name: str, array: np.ndarray) -> Pending:
    return Pending(name, array.shape, array.dtype, lambda: array)


def _config(
    experiment: Experiment, tokenizer: Tokenizer, trained: TrainedWeights, base: str | None
) -> dict[str, Any]:
    encoder, resampler = experiment.encoder, dataclasses.asdict(experiment.resampler)
    sizes = ("image_size", "patch_size", "width", "heads", "layers", "mlp_width")
    resampler |= {
        "input_width": encoder.width,
        "output_width": experiment.llama.width,
        "frames": encoder.frames,
    }
    return {
        "model_type": "stepdiff",
        "architectures": ["StepDiffModel"],
        "auto_map": {
            "AutoConfig": "configuration_stepdiff.StepDiffConfig",
            "AutoModel": "modeling_stepdiff.StepDiffModel",
        },
        "encoder": {name: getattr(encoder, name) for name in sizes},
        "resampler": resampler,
        "text_config": {
            **tokenizer.family.config_json(experiment.llama),
            "dtype": experiment.llama.dtype,
            "bos_token_id": tokenizer.bos,
            "eos_token_id": list(tokenizer.stops) if tokenizer.stops[1:] else tokenizer.eos,
        },
        "language_model": base,
        "frozen_weights_fingerprint": trained.metadata.fingerprint,
    }


def _processor(experiment: Experiment, tokenizer: Tokenizer) -> dict[str, Any]:
    encoder = experiment.encoder
    sizes = {
        "latents": experiment.resampler.latents,
        "frames": encoder.frames,
        "resized_side": encoder.resized_side,
        "image_size": encoder.image_size,
    }
    return {"sizes": sizes, "chat": chat_json(tokenizer.family)}


def _run(experiment: Experiment, trained: TrainedWeights) -> dict[str, Any]:
    return {
        "step": trained.step,
        "checkpoint": dataclasses.asdict(trained.metadata),
        "experiment": to_dict(experiment),
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
