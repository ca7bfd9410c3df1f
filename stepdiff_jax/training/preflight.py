"""What is checked before a run loads its weights, which takes minutes at 70B.

`check_training` is for `stepdiff train`; `check_output` also for commands that only write.
"""

import os
import sys
from math import prod
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh

from stepdiff_jax.check_config import check_config
from stepdiff_jax.checkpoint import check_trained
from stepdiff_jax.config import CHECKPOINTS, Experiment
from stepdiff_jax.data.records import open_records
from stepdiff_jax.data.video import decode_jpeg
from stepdiff_jax.data.visual import encoder_frames
from stepdiff_jax.errors import InputError
from stepdiff_jax.models.construct import abstract_model
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.sharding import DATA_AXES, data_shard, make_mesh
from stepdiff_jax.training.abstract import held_bytes
from stepdiff_jax.training.experiment_data import OpenData, open_data
from stepdiff_jax.training.optimizer import make_optimizer
from stepdiff_jax.training.run_directory import compare_run_directory
from stepdiff_jax.weights.build import load_tokenizer, weight_reports
from stepdiff_jax.weights.tensors import Report

GIB = 1 << 30
SAMPLED_CLIPS = 8
"""Number of clips of each split whose frames are looked at (ours)."""


def check_training(
    experiment: Experiment, *, more_steps: bool = False
) -> tuple[OpenData, dict[str, Report]]:
    """Check an experiment before it is trained, or trained further; the quick checks come first.

    Args:
        more_steps: as for `compare_run_directory`.
    Returns:
        its data, opened, and which tensors its weights will be read from.
    Raises:
        InputError: a number is out of range or contradicts another; the run directory cannot be
            written or belongs to another experiment; the tokenizer, the weights or the initial run
            are missing or do not fit; the model does not fit in memory; or data or features of the
            training or the validation split are missing or do not fit.
    """
    check_config(experiment)
    make_optimizer(experiment.optimizer)
    run = Path(experiment.loop.run_directory)
    compare_run_directory(run, experiment, more_steps=more_steps)
    check_output(run)
    load_tokenizer(experiment)
    _, trainable, _ = split_variables(abstract_model(experiment), experiment.trainable)
    reports = weight_reports(experiment)
    resumed = any((run / CHECKPOINTS).glob("[0-9]*"))
    if experiment.weights.initial_run and not resumed:
        check_trained(Path(experiment.weights.initial_run), trainable, initial=True)
    mesh = make_mesh(experiment.mesh)
    rows, parts = experiment.data.batch_rows, prod(mesh.shape[axis] for axis in DATA_AXES)
    if rows % parts:
        raise InputError(f"data.batch_rows: {rows} rows do not divide over {parts} devices")
    _check_memory(experiment, mesh)
    opened = open_data(experiment)
    if experiment.data.visual_input == "frames":
        _check_frames(experiment)
    return opened, reports


def check_output(directory: Path) -> None:
    """Raise InputError unless files can be written to a directory, which need not exist yet."""
    try:
        existing = next(path for path in (directory, *directory.parents) if path.exists())
    except OSError as error:
        raise InputError(f"{directory}: cannot be written: {error.strerror}") from error
    if not existing.is_dir():
        raise InputError(f"{directory}: cannot be written: {existing} is not a directory")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"{directory}: cannot be written: {existing} is read-only")


def _check_memory(experiment: Experiment, mesh: Mesh) -> None:
    """Refuse a model or a batch that is larger than the memory it must be in."""
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    held, limit = held_bytes(experiment, mesh), _device_bytes(host)
    if held > limit:
        raise InputError(
            f"weights and optimizer take {held / GIB:.1f} GiB per device, which has "
            f"{limit / GIB:.1f}: use more devices or llama.quantization (`stepdiff aot` tells what "
            "fits)"
        )
    data, encoder = experiment.data, experiment.encoder
    _, shards = data_shard(mesh)
    features = data.visual_input == "features"
    visual = (
        2 * encoder.tokens * encoder.width
        if features
        else 3 * encoder.frames * encoder.image_size**2
    )
    batch = data.batch_rows // shards * (data.row_videos * visual + 24 * data.row_length)
    if batch > host:
        raise InputError(
            f"data.batch_rows {data.batch_rows} with data.row_videos {data.row_videos}: a process "
            f"reads {batch / GIB:.1f} GiB per step, the machine has {host / GIB:.1f}"
        )


def _device_bytes(host: int) -> float:
    """Memory of one device; virtual devices of the CPU share the host's."""
    device = jax.local_devices()[0]
    stats = device.memory_stats() or {}
    return stats.get("bytes_limit", host / jax.local_device_count())


def _check_frames(experiment: Experiment) -> None:
    """Decode the frames of a few clips of each split; say if they are smaller than is expected."""
    config, encoder = experiment.data, experiment.encoder
    held_out = (config.validation_split,) if experiment.loop.evaluate_every else ()
    for split in (config.split, *held_out):
        records = open_records(config.directory, "clips", split)
        sides = []
        for index in np.unique(np.linspace(0, len(records) - 1, SAMPLED_CLIPS).astype(int)):
            encoder_frames(records[index], encoder)
            sides.append(min(decode_jpeg(records[index].frames[0]).shape[:2]))
        if max(sides) < encoder.image_size and jax.process_index() == 0:
            print(
                f"{config.directory}, split {split}: stored frames have a short side of "
                f"{max(sides)} pixels, encoder.image_size is {encoder.image_size}: they are "
                "enlarged",
                file=sys.stderr,
            )
