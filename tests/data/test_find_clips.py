"""A benchmark's clips are found in whatever split they lie in."""

import json
import shutil

import numpy as np
import pytest

from stepdiff_jax.config import DataConfig, EncoderConfig
from stepdiff_jax.data.find_clips import FoundClips, find_clips
from stepdiff_jax.data.records import clip_ids, clip_splits, dataset_path, open_records
from stepdiff_jax.data.visual import ClipFrames
from stepdiff_jax.errors import InputError

ENCODER = EncoderConfig(image_size=16, resized_side=16)


def test_clips_of_several_splits_keep_the_order_in_which_they_are_asked(packed):
    trained, held_out = clip_ids(packed, "train"), clip_ids(packed, "validation")
    asked = [held_out[1], trained[3], held_out[0]]
    places = find_clips(packed, asked)
    assert list(places.items()) == list(
        zip(asked, [("validation", 1), ("train", 3), ("validation", 0)])
    )
    found = FoundClips(places, DataConfig(directory=str(packed)), ENCODER)
    assert len(found) == 3
    for index, (split, number) in enumerate(places.values()):
        frames = ClipFrames(open_records(packed, "clips", split), ENCODER)
        np.testing.assert_array_equal(found[index], frames[number])


def test_missing_clips_are_counted_and_the_first_are_named(packed):
    known = clip_ids(packed, "train")[0]
    with pytest.raises(InputError) as error:
        find_clips(packed, [known, *(f"lost{number}_0_1" for number in range(5))])
    assert str(error.value) == (
        f"{packed}, splits train, validation: 5 of the 6 clips that the benchmark asks about are "
        "missing: 'lost0_0_1', 'lost1_0_1', 'lost2_0_1', ..."
    )
    with pytest.raises(InputError, match=f"split validation: 1 of the 1 clips .* '{known}'$"):
        find_clips(packed, [known], "validation")
    with pytest.raises(InputError, match="no records of split 'val'"):
        find_clips(packed, [known], "val")


def test_a_clip_with_other_frames_in_another_split_is_refused(packed, tmp_path):
    shutil.copytree(packed, tmp_path / "data")
    # `pack` refuses such files; datasets that were merged by hand may look like this.
    path = dataset_path(tmp_path / "data", "clips") / "metadata.json"
    metadata = json.loads(path.read_text())
    twin = metadata["clip_ids"]["train"][2]
    metadata["clip_ids"]["validation"][0] = twin
    path.write_text(json.dumps(metadata))
    with pytest.raises(InputError) as error:
        find_clips(tmp_path / "data", [twin])
    assert str(error.value) == (
        f"{tmp_path / 'data'}: clip {twin!r} has other frames in split train than in split "
        "validation; choose one with --split"
    )
    assert find_clips(tmp_path / "data", [twin], "validation") == {twin: ("validation", 0)}


def test_splits_are_those_with_clips(packed):
    assert clip_splits(packed) == ("train", "validation")
