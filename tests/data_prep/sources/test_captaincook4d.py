"""CaptainCook4D: clips, pairs of a step done right and done wrong, and what is wrong with files."""

import copy
import json
import os
from pathlib import Path

import pytest

from captaincook4d_files import ANNOTATIONS, SPLITS, write_captaincook4d
from data_prep.sources.captaincook4d import CaptainCook4D, category_of, plain_words
from launch.cli import main
from record_sources import read_lines
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import read_diffcap, read_diffmcq

STEPS = sum(len(recording["step_annotations"]) for recording in ANNOTATIONS)


def prep(stage: str, directory: Path, destination: Path, *more: str) -> int:
    files = ["--annotations", str(directory), "--destination", str(destination)]
    return main(["prep", stage, "--source", "captaincook4d", *files, *more])


def summary(path: Path) -> dict:
    return json.loads(path.read_text())


def test_steps_become_clips_and_every_other_has_a_reason(tmp_path):
    directory = write_captaincook4d(tmp_path / "cook")
    assert prep("clips", directory, tmp_path) == 0
    found = summary(tmp_path / "clips.summary.json")
    assert (found["in"], found["out"]) == (STEPS, 10)
    assert found["dropped"] == {
        "segment does not end after it starts": 1,
        "segment is too short": 1,
        "step is missing": 1,
        "video of no split": 1,
    }
    first, second = read_lines(tmp_path / "clips.jsonl")[:2]
    assert first == {
        "clip": "1_1_7.072_17",
        "video": "1_1.mp4",
        "start": 7.072,
        "end": 17.0,
        "keystep": "Cut the muffin with a knife",
        "activity": "recipe 1",
        "narration": "",
        "split": "train",
    }
    assert (second["clip"], second["keystep"]) == (
        "1_1_92.605_99.5",
        "add 1/4 tsp pepper to the cup",
    )


def test_a_video_is_found_by_either_of_its_names(tmp_path):
    directory = write_captaincook4d(tmp_path / "cook")
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("1_1.mp4", "1_2_360p.mp4"):
        (videos / name).touch()
    assert prep("clips", directory, tmp_path / "out", "--videos", str(videos)) == 0
    named = {row["video"] for row in read_lines(tmp_path / "out" / "clips.jsonl")}
    assert named == {"../videos/1_1.mp4", "../videos/1_2_360p.mp4"}


def test_a_step_done_wrong_is_compared_with_the_same_step_done_right(tmp_path):
    directory = write_captaincook4d(tmp_path / "cook")
    out = tmp_path / "differences.jsonl"
    assert prep("differences", directory, out, "--seed", "3") == 0
    lines = read_lines(out)
    references = {line.pop("reference") for line in lines}
    assert len(references) == 1
    assert references <= {"1_1_7.072_17", "1_2_0.5_9.25"}
    shared = {"candidate": "1_10_1_11", "keystep": "Cut the muffin with a knife"}
    assert lines == [
        shared | {"category": "Tools/Equipment", "captions": ["fork instead of a knife"]},
        shared | {"category": "Ingredients", "captions": ["cut a bagel", "cut a soiled muffin"]},
    ]
    found = summary(tmp_path / "differences.summary.json")
    assert found["dropped"] == {
        "error of no category": 1,
        "no step done right to compare with": 3,
        "segment does not end after it starts": 1,
        "segment is too short": 1,
        "step is missing": 1,
        "video of no split": 1,
    }
    counts = found["counts"]
    assert counts == {
        "errors left out: Order Error": 1,
        "of these, references": 1,
        "pairs": 1,
        "steps done right": 5,
    }
    left_out = sum(found["dropped"].values())
    assert counts["pairs"] + counts["steps done right"] + left_out == found["in"] == STEPS


def test_the_choice_is_the_seeds_and_splits_do_not_mix(tmp_path):
    directory = write_captaincook4d(tmp_path / "cook")
    chosen = set()
    for seed in map(str, range(12)):
        for number in ("a", "b"):
            out = tmp_path / number / f"{seed}.jsonl"
            assert prep("differences", directory, out, "--seed", seed) == 0
        again = (tmp_path / "a" / f"{seed}.jsonl").read_bytes()
        assert out.read_bytes() == again
        chosen.add(read_lines(out)[0]["reference"])
    assert chosen == {"1_1_7.072_17", "1_2_0.5_9.25"}
    out = tmp_path / "test.jsonl"
    assert prep("differences", directory, out, "--splits", "test") == 2
    assert not read_lines(out)
    assert summary(tmp_path / "test.summary.json")["dropped"]["other split"] == 9
    assert prep("differences", directory, tmp_path / "no.jsonl", "--splits", "val") == 2


def test_differences_without_scores_give_two_official_files(tmp_path, capsys):
    annotations = copy.deepcopy(ANNOTATIONS)
    texts = ("with a fork", "into four", "slowly", "on a plate", "twice")
    for number, text in enumerate(texts):
        wrong = copy.deepcopy(annotations[4])
        wrong["recording_id"] = f"1_10{number}"
        wrong["step_annotations"][0]["errors"][0]["description"] = text
        annotations.append(wrong)
    splits = {**SPLITS, "train": [*SPLITS["train"], *(f"1_10{n}" for n in range(len(texts)))]}
    directory = write_captaincook4d(tmp_path / "cook", annotations, splits)
    assert prep("differences", directory, tmp_path / "differences.jsonl") == 0
    files = f"--differences {tmp_path}/differences.jsonl --destination {tmp_path}/out".split()
    assert main(["prep", "benchmark", *files]) == 0
    names = sorted(path.name for path in (tmp_path / "out").glob("*_dataset.jsonl"))
    assert names == ["diffcap_dataset.jsonl", "diffmcq_dataset.jsonl"]
    captions = read_diffcap(tmp_path / "out" / "diffcap_dataset.jsonl")
    assert {text for one in captions for text in one.text} >= set(texts)
    assert len(read_diffmcq(tmp_path / "out" / "diffmcq_dataset.jsonl")) == len(texts)
    left_out = summary(tmp_path / "out" / "benchmark.summary.json")["counts"]["diffrank"]
    assert left_out == {"pair without a score": len(captions)}
    for task in ("diffcap", "diffmcq"):
        path = tmp_path / "out" / f"{task}_dataset.jsonl"
        assert main(["prep", "validate", str(path), "--task", task]) == 0


def changed(*path: object, value: object) -> list:
    annotations = copy.deepcopy(ANNOTATIONS)
    *outer, last = path
    owner = annotations
    for name in outer:
        owner = owner[name]
    owner[last] = value
    return annotations


STEP = (2, "step_annotations", 0)


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (changed(0, "recording_id", value=7), "recording 1: field 'recording_id' must be a string"),
        (changed(0, "recording_id", value="1_2"), "video '1_2': field 'recording_id' appears tw"),
        (changed(2, "activity_id", value="1"), "video '1_10': field 'activity_id' must be an int"),
        (changed(2, "step_annotations", value={}), "video '1_10': field 'step_annotations' must "),
        (changed(*STEP, "start_time", value="1"), "video '1_10': field 'start_time' must be a fin"),
        (changed(*STEP, "end_time", value=float("nan")), "field 'end_time' must be a finite numb"),
        (changed(*STEP, "errors", 0, "tag", value=None), "video '1_10': field 'tag' must be a str"),
        (changed(*STEP, "errors", 0, value={"tag": "x"}), "field 'description' is missing"),
        (changed(*STEP, value={}), "video '1_10': field 'description' is missing"),
        ({}, "must hold a non-empty JSON list"),
    ],
)
def test_a_wrong_file_is_named_with_recording_and_field(tmp_path, annotations, message):
    directory = write_captaincook4d(tmp_path, annotations)
    with pytest.raises(InputError) as error:
        CaptainCook4D(directory)
    assert str(error.value).startswith(str(tmp_path / "error_annotations.json"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": "1_1"}, "field 'train' must be a list of recordings"),
        ({"train": [1]}, "field 'train' must hold strings only, got 1"),
        ({"train": ["1_1"], "test": ["1_1"]}, "video '1_1': field 'split' is 'train' already"),
    ],
)
def test_wrong_splits_are_named(tmp_path, splits, message):
    with pytest.raises(InputError, match=message):
        CaptainCook4D(write_captaincook4d(tmp_path, splits=splits))


@pytest.mark.parametrize(
    ("tag", "text", "category"),
    [
        ("Preparation Error", "Use plates instead of a bowl", "Tools/Equipment"),
        ("Preparation Error", "Use onions instead of garlic", "Ingredients"),
        ("Measurement Error", "1/2 tsp instead of 1/4", "Ingredients"),
        ("Technique Error", "spill some in the pan", "Technique"),
        ("Temperature Error", "high heat", "Technique"),
        ("Timing Error", "for 1 minute", "Actions"),
        ("Order Error", "after the pan", None),
        ("Other", "knife", None),
        ("Some Error", "knife", None),
    ],
)
def test_categories(tag, text, category):
    assert category_of(tag, text) == category


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Coat -Coat a cup", "Coat a cup"),
        ("stir-stir  the cup", "stir the cup"),
        ("melt-In a mug, melt butter", "In a mug, melt butter"),
        ("Add-1/4 tsp salt", "Add 1/4 tsp salt"),
        ("cook for 3-5 minutes", "cook for 3-5 minutes"),
    ],
)
def test_plain_words(text, plain):
    assert plain_words(text) == plain


def test_a_source_that_judges_nothing_has_no_differences(tmp_path, capsys):
    from htstep_files import write_htstep

    files = ["--annotations", str(write_htstep(tmp_path / "htstep"))]
    out = ["--destination", str(tmp_path / "d.jsonl")]
    assert main(["prep", "differences", "--source", "htstep", *files, *out]) == 2
    assert "does not annotate errors in steps" in capsys.readouterr().err


@pytest.mark.skipif(
    "STEPDIFF_CAPTAINCOOK4D" not in os.environ,
    reason="STEPDIFF_CAPTAINCOOK4D is not set: the directory of the released files",
)
def test_the_released_files(tmp_path):
    directory = Path(os.environ["STEPDIFF_CAPTAINCOOK4D"])
    assert prep("differences", directory, tmp_path / "d.jsonl") == 0
    found = summary(tmp_path / "d.summary.json")
    counts = found["counts"]
    assert found["in"] == 5700
    left_out = sum(found["dropped"].values())
    assert counts["pairs"] + counts["steps done right"] + left_out == 5700
