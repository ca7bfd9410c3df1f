"""`stepdiff prep describe` with our own models as captioner and grounding, by its flags."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from faulty_server import serve
from launch.cli import main
from record_sources import write_video
from stepdiff_jax.checkpoint import CheckpointMetadata, Checkpoints
from stepdiff_jax.config import CHECKPOINTS, Experiment, Source
from stepdiff_jax.config_files import CONFIG_FILE, to_dict
from stepdiff_jax.data.video import sample_frames
from stepdiff_jax.inference.captioners.base import Clip
from stepdiff_jax.inference.captioners.own import OwnCaptioner
from stepdiff_jax.jsonl import read_jsonl, write_jsonl
from stepdiff_jax.models.variables import split_variables
from stepdiff_jax.weights.build import build_model
from stepdiff_jax.weights.fingerprint import fingerprint
from tiny_experiment import write_tiny_experiment


def write_run(directory: Path, experiment: Experiment, mixture: str) -> Path:
    """A run that has just begun."""
    data = replace(experiment.data, mixture=(Source(mixture),))
    directory.mkdir()
    text = json.dumps(to_dict(replace(experiment, data=data)))
    (directory / CONFIG_FILE).write_text(text)
    _, trainable, frozen = split_variables(build_model(experiment), experiment.trainable)
    metadata = CheckpointMetadata(fingerprint(frozen), {}, "")
    with Checkpoints(directory / CHECKPOINTS, 1) as checkpoints:
        checkpoints.save(1, trainable, trainable, {"step": 1}, metadata)
        checkpoints.wait()
    return directory


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("describing")
    (root / "tiny").mkdir()
    experiment = write_tiny_experiment(root / "tiny")
    write_run(root / "single", experiment, "single")
    write_run(root / "pairs", experiment, "pairs")
    for number in range(2):
        write_video(root / f"v{number}.mp4", brightness=200 - 50 * number)
    clips = [
        {"clip": f"v{number}_0_1", "video": f"v{number}.mp4", "start": 0.0, "end": 1.0,
         "keystep": "stir", "narration": "", "split": "train"}
        for number in range(2)
    ]  # fmt: skip
    write_jsonl(root / "clips.jsonl", clips)
    rows = [{"clip": row["clip"], "actions": ["stirring", "a car"], "objects": []} for row in clips]
    write_jsonl(root / "captions.jsonl", rows)
    return root


def describe(directory: Path, destination: Path, *flags: str) -> int:
    """Of the first of two shards: one clip."""
    files = f"--clips {directory}/clips.jsonl --shard 1/2 --destination {destination}"
    with serve(lambda text: "it says so") as (address, _):
        asked = f"--model.name m --model.base-url {address} --action-score 1.1"
        return main(["prep", "describe", *files.split(), *asked.split(), *flags])


def test_a_run_on_single_videos_captions(directory, tmp_path):
    flags = ["--captioner", f"{directory}/single"]
    assert describe(directory, tmp_path / "d.jsonl", *flags) == 0
    (line,) = read_jsonl(tmp_path / "d.1-of-2.jsonl")
    captioner = OwnCaptioner.load(directory / "single")
    captions = captioner.caption(
        Clip("v0_0_1", sample_frames(directory / "v0.mp4", 0, 1, 8).frames)
    )
    assert captions.actions
    assert tuple(line.fields["actions"]) == captions.actions
    assert tuple(line.fields["objects"]) == captions.objects
    summary = json.loads((tmp_path / "d.1-of-2.summary.json").read_text())
    assert summary["settings"]["captioner"] == f"{directory}/single"


def test_actions_below_the_score_are_dropped_with_their_cosines(directory, tmp_path):
    flags = ["--captions", f"{directory}/captions.jsonl", "--grounding", "kitchen"]
    assert describe(directory, tmp_path / "d.jsonl", *flags) == 0
    (line,) = read_jsonl(tmp_path / "d.1-of-2.jsonl")
    scores = line.fields["dropped"]["actions"]
    assert set(scores) == {"stirring", "a car"}
    assert scores["stirring"] != scores["a car"]
    assert all(-1 <= score <= 1 for score in scores.values())


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            "--captioner {}/pairs",
            "pairs: was trained on pairs; a captioner needs a run on 'single'",
        ),
        ("--captioner {0}/single --captions {0}/captions.jsonl", "are mutually exclusive"),
        ("--grounding kitchen --action-scores {}/captions.jsonl", "are mutually exclusive"),
        ("--grounding nonsense", "nonsense"),
    ],
)
def test_bad_choices_are_one_line(directory, tmp_path, capsys, flags, message):
    assert describe(directory, tmp_path / "d.jsonl", *flags.format(directory).split()) == 2
    error = capsys.readouterr().err.strip()
    assert message in error.splitlines()[-1]
    assert error.splitlines()[-1].startswith("stepdiff: error:")
