"""HT-Step's annotations as clips."""

import copy
import os
from pathlib import Path

import pytest

from data_prep.htstep import KeystepClip, read_htstep
from htstep_files import ANNOTATIONS, SPLITS, TAXONOMY, write_htstep
from stepdiff_jax.errors import InputError

HTSTEP = "STEPDIFF_HTSTEP"


def test_clips_come_in_order_of_time_with_their_keystep_and_split(tmp_path):
    assert read_htstep(write_htstep(tmp_path)) == [
        KeystepClip(
            "-a_b-c1_3.25_20.125",
            "-a_b-c1",
            3.25,
            20.125,
            "Chop onions, finely.",
            "Make Soup",
            "train",
        ),
        KeystepClip("-a_b-c1_30.5_42", "-a_b-c1", 30.5, 42.0, "Boil water.", "Make Soup", "train"),
        KeystepClip("zzz_0_4.5", "zzz", 0.0, 4.5, "Chop onions, finely.", "Make Tea", "val_seen"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 8}, "field 'id' is no global_step_index of taxonomy.csv, got 8"),
        ({"id": "7"}, "field 'id' must be of type int, got '7'"),
        ({"id": None}, "field 'id' is missing"),
        ({"segment": [4.5, 4.5]}, r"field 'segment' must start at 0 .* got \[4.5, 4.5\]"),
        ({"segment": [5, 4.5]}, r"field 'segment' must start at 0 .* got \[5, 4.5\]"),
        ({"segment": [-1, 4.5]}, "field 'segment' must start at 0"),
        ({"segment": [1.0]}, "field 'segment' must be .start, end. in seconds"),
        ({"segment": [1.0, float("nan")]}, "field 'segment' must be .start, end. in seconds"),
        ({"segment": None}, "field 'segment' is missing"),
    ],
)
def test_a_bad_annotation_names_file_video_field_and_value(tmp_path, change, message):
    annotations = copy.deepcopy(ANNOTATIONS)
    item = annotations["zzz"]["annotations"][0]
    item.update(change)
    for field in [name for name, value in change.items() if value is None]:
        del item[field]
    write_htstep(tmp_path, annotations=annotations)
    with pytest.raises(InputError, match=rf"annotations\.json, video 'zzz': {message}"):
        read_htstep(tmp_path)


def test_a_segment_annotated_twice_is_refused(tmp_path):
    annotations = copy.deepcopy(ANNOTATIONS)
    annotations["zzz"]["annotations"] *= 2
    write_htstep(tmp_path, annotations=annotations)
    with pytest.raises(InputError, match=r"video 'zzz': field 'segment' is annotated twice"):
        read_htstep(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"splits": {"train": ["-a_b-c1"]}}, r"video_splits\.json, video 'zzz': .* is missing"),
        ({"splits": {**SPLITS, "test": ["zzz"]}}, "video 'zzz': field 'split' is 'val_seen' alr"),
        ({"splits": {"train": "zzz"}}, r"video_splits\.json: field 'train' must be a list"),
        ({"annotations": {}}, r"annotations\.json: must hold a non-empty JSON object"),
        ({"annotations": {"zzz": {}}}, "video 'zzz': field 'activity' is missing"),
        ({"taxonomy": ""}, r"taxonomy\.csv: is empty"),
        ({"taxonomy": TAXONOMY.replace("headline", "title")}, "has no column 'headline'"),
        ({"taxonomy": TAXONOMY.replace("11,Make", "x,Make")}, "'global_step_index' must be a num"),
    ],
)
def test_bad_files_are_named(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        read_htstep(write_htstep(tmp_path, **files))


@pytest.mark.parametrize("name", ["annotations.json", "taxonomy.csv", "video_splits.json"])
def test_a_missing_or_broken_file_is_named(tmp_path, name):
    write_htstep(tmp_path)
    (tmp_path / name).write_text("{")
    with pytest.raises(InputError, match=f"{name}: (is not JSON|has no column|is empty)"):
        read_htstep(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{name}: cannot be read: No such file"):
        read_htstep(tmp_path)


@pytest.mark.skipif(HTSTEP not in os.environ, reason=f"{HTSTEP} names no HT-Step directory")
def test_the_released_files():
    clips = read_htstep(Path(os.environ[HTSTEP]))
    assert len(clips) >= 3441
    by_id = {clip.id: clip for clip in clips}
    clip = by_id["-25-1nbOki0_95.99411_111.89123"]
    assert clip.keystep == "Blend your tomatoes, scotch bonnet and tatashe together."
    assert (clip.activity, clip.split) == ("Make Nigerian Style Jollof Rice", "val_seen")
