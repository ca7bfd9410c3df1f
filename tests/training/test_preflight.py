"""Mistakes that `stepdiff train` reports before it loads a weight; nothing is left behind."""

import dataclasses
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stepdiff_jax.config import Experiment, Source
from stepdiff_jax.data.features import write_features
from stepdiff_jax.data.records import clip_ids, dataset_path
from stepdiff_jax.errors import InputError
from stepdiff_jax.training.experiment_data import VALIDATION_BATCHES
from stepdiff_jax.training.experiment_program import build_program
from stepdiff_jax.training.preflight import check_output, check_training


@pytest.fixture
def new(tiny: Experiment, tmp_path: Path) -> Experiment:
    """The tiny experiment with a run directory that does not exist yet."""
    return replace(tiny, loop=replace(tiny.loop, run_directory=str(tmp_path / "run")))


def changed(experiment: Experiment, field: str, value: object) -> Experiment:
    part, _, name = field.partition(".")
    inner = dataclasses.replace(getattr(experiment, part), **{name: value})
    return dataclasses.replace(experiment, **{part: inner})


def refused(experiment: Experiment) -> str:
    with pytest.raises(InputError) as error:
        check_training(experiment)
    assert "\n" not in str(error.value)
    assert not Path(experiment.loop.run_directory).is_dir()
    return str(error.value)


def test_data_of_both_splits_is_open_afterwards(new):
    opened, reports = check_training(new)
    assert opened.mesh.size == 8
    assert set(reports) == {"llama", "encoder"}
    batches = list(opened.data.validation())
    assert len(batches) == VALIDATION_BATCHES
    for first, second in zip(batches, opened.data.validation(), strict=True):
        np.testing.assert_array_equal(first.rows.tokens, second.rows.tokens)  # always the same
    # Without evaluation the validation split is not looked at.
    quiet = changed(changed(new, "data.validation_split", "lost"), "loop.evaluate_every", 0)
    assert check_training(quiet)[0].data.validation is None


def test_another_validation_split_is_read(new):
    opened, _ = check_training(changed(new, "data.validation_split", "train"))
    assert len(clip_ids(new.data.directory, "validation")) == 2
    assert max(int(batch.clips.max()) for batch in opened.data.validation()) == 3


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("data.directory", "nowhere", "nowhere/stepdiff_pairs/clips/1.0.0: no dataset here"),
        ("data.split", "test", "no records of split 'test', it has ['train', 'validation']"),
        (
            "data.validation_split",
            "val_seen",
            "data.validation_split 'val_seen': {data}/stepdiff_pairs/clips/1.0.0: no records of "
            "split 'val_seen', it has ['train', 'validation'] (loop.evaluate_every 0 disables the "
            "evaluation)",
        ),
        ("data.mixture", (Source("pairs"), Source("singel")), "no record set is named 'singel'"),
        ("data.mixture", (Source("single"),), "single/1.0.0: no dataset here"),
        ("data.row_answers", 2, "{data}, pairs, split train: record "),
        ("data.row_videos", 1, "needs row_videos 2, the configuration has 1"),
        ("data.batch_rows", 9, "data.batch_rows: 9 rows do not divide over 8 devices"),
        ("data.visual_input", "features", "train.json: no features here (stepdiff prep features"),
        ("data.batch_rows", 2**20, "the machine has "),
        ("encoder.frames", 4, "has 8 frames, encoder.frames is 4"),
        ("encoder.image_size", 10**9, "encoder.image_size must be an integer from 1 to 4096"),
        ("llama.layers", 10**9, "llama.layers must be an integer from 1 to 1024, got 1000000000"),
        ("llama.vocabulary_size", 767, "a tokenizer of 768 tokens, but llama.vocabulary_size is"),
        ("llama.layers", 3, "llama.safetensors"),
        ("resampler.mlp_width", 2**19, None),
        ("optimizer.warmup_steps", 10, "optimizer.warmup_steps must be less than optimizer.steps"),
        ("weights.llama", "nowhere", "nowhere"),
        ("weights.encoder", "nowhere", "nowhere"),
        ("weights.tokenizer", "nowhere", "nowhere"),
        ("weights.initial_run", "nowhere", "nowhere/checkpoints: no such directory, hence no trai"),
        ("mesh.tensor", 3, "mesh sizes"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_loaded(new, field, value, message):
    experiment = changed(new, field, value)
    if message is None:
        check_training(experiment)
    else:
        assert message.format(data=new.data.directory) in refused(experiment)


def test_a_model_that_no_device_can_hold_is_refused(new):
    wide = changed(changed(new, "resampler.head_width", 2**17), "resampler.heads", 1024)
    assert "weights and optimizer take " in refused(wide)


def test_features_of_the_validation_split_are_needed_too(new, tmp_path):
    data = shutil.copytree(new.data.directory, tmp_path / "data")
    cached = changed(changed(new, "data.directory", str(data)), "data.visual_input", "features")
    ids = clip_ids(data, "train")
    shape = (new.encoder.tokens, new.encoder.width)
    write_features(data, "train", ids, np.zeros((len(ids), *shape)), "another encoder")
    assert "data.validation_split 'validation': " in refused(cached)
    # The fingerprint is compared when the encoder is loaded, which is before the language model.
    without = changed(cached, "loop.evaluate_every", 0)
    with pytest.raises(InputError, match="features of another encoder: fingerprint is another en"):
        build_program(without)


def test_an_evaluation_that_would_not_fit_is_found_at_the_start(new, tmp_path):
    """The longest row of the validation split, not only of the training split."""
    data = shutil.copytree(new.data.directory, tmp_path / "data")
    path = dataset_path(data, "sequences") / "dataset_info.json"
    info = json.loads(path.read_text())
    info["splits"] = [split for split in info["splits"] if split["name"] == "train"]
    path.write_text(json.dumps(info))
    told = refused(changed(new, "data.directory", str(data)))
    assert told.startswith("data.validation_split 'validation': ")
    assert "sequences/1.0.0: no records of split 'validation', it has ['train']" in told


def test_a_run_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/run: cannot be written: .*file is not a directory"):
        check_output(tmp_path / "file" / "run")
    with pytest.raises(InputError, match="cannot be written: File name too long"):
        check_output(tmp_path / ("x" * 300))
    check_output(tmp_path / "new" / "run")
    assert not (tmp_path / "new").exists()


def test_small_frames_are_told_of(new, capsys):
    check_training(changed(changed(new, "encoder.resized_side", 64), "encoder.patch_size", 8))
    assert "enlarged" not in capsys.readouterr().err
