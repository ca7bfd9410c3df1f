"""HT-Step's annotations: what is read, and what is wrong with a segment."""

import copy
import os
from pathlib import Path

import pytest

from data_prep.sources.base import Segment
from data_prep.sources.htstep import HtStep
from data_prep.stage import Rejected
from htstep_files import ANNOTATIONS, SPLITS, TAXONOMY, write_htstep
from stepdiff_jax.errors import InputError

HTSTEP = "STEPDIFF_HTSTEP"


def problems_of(directory: Path) -> list[str]:
    """The reason of each annotation that is no segment, "" for the others."""
    found = [one.found for one in HtStep(directory).annotations()]
    return [one.kind if isinstance(one, Rejected) else "" for one in found]


def test_segments_come_as_they_are_annotated(tmp_path):
    annotations = list(HtStep(write_htstep(tmp_path)).annotations())
    rows = [one.row for one in annotations]
    assert [(row["video"], row["id"], row["segment"]) for row in rows] == [
        ("-a_b-c1", 11, [30.5, 42]),
        ("-a_b-c1", 7, [3.25, 20.125]),
        ("zzz", 7, [0, 4.5]),
    ]
    segments = [one.found for one in annotations]
    assert all(isinstance(segment, Segment) for segment in segments)
    chop, boil = "Chop onions, finely.", "Boil water."
    assert [segment.keystep for segment in segments] == [boil, chop, chop]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": 8}, "unknown keystep id"),
        ({"id": "7"}, "unknown keystep id"),
        ({"id": None}, "unknown keystep id"),
        ({"segment": [4.5, 4.5]}, "segment does not end after it starts"),
        ({"segment": [5, 4.5]}, "segment does not end after it starts"),
        ({"segment": [-1, 4.5]}, "segment does not end after it starts"),
        ({"segment": [1.0]}, "segment is not [start, end] in seconds"),
        ({"segment": [1.0, float("nan")]}, "segment is not [start, end] in seconds"),
        ({"segment": [1.0, "4"]}, "segment is not [start, end] in seconds"),
        ({"segment": None}, "annotation is of another form"),
        ({"segment": [1, 10.01]}, "segment past the end"),
        ({"partial": "Half Match"}, "unknown match"),
        ({"partial": ["Full Match"]}, "unknown match"),
        ({"segment": [0, 10**400]}, "segment is not [start, end] in seconds"),
    ],
)
def test_a_bad_annotation_has_a_reason_and_the_others_stay(tmp_path, change, reason):
    annotations = copy.deepcopy(ANNOTATIONS)
    item = annotations["zzz"]["annotations"][0]
    item.update(change)
    for field in [name for name, value in change.items() if value is None]:
        del item[field]
    htstep = write_htstep(tmp_path, annotations=annotations)
    assert problems_of(htstep) == ["", "", reason]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"annotations": "all"}, "annotation is of another form"),
        ({"annotations": [7]}, "annotation is of another form"),
        ({"duration": None}, "duration is not a number of seconds"),
        ({"activity": 3}, "activity is not a name"),
    ],
)
def test_a_bad_video_has_a_reason(tmp_path, fields, reason):
    annotations = {**ANNOTATIONS, "zzz": {**ANNOTATIONS["zzz"], **fields}}
    htstep = write_htstep(tmp_path, annotations=annotations)
    assert problems_of(htstep)[2:] == [reason]


def test_a_video_of_no_split_has_a_reason(tmp_path):
    htstep = write_htstep(tmp_path, splits={"train": ["-a_b-c1"]})
    assert problems_of(htstep)[2] == "video of no split"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"splits": {**SPLITS, "test": ["zzz"]}}, "video 'zzz': field 'split' is 'val_seen' alr"),
        ({"splits": {"train": "zzz"}}, r"video_splits\.json: field 'train' must be a list"),
        ({"annotations": {}}, r"annotations\.json: must hold a non-empty JSON object"),
        ({"taxonomy": ""}, r"taxonomy\.csv: is empty"),
        ({"taxonomy": TAXONOMY.replace("headline", "title")}, "has no column 'headline'"),
        (
            {"taxonomy": TAXONOMY.replace("11,Make", "x,Make")},
            r"taxonomy\.csv, line 4: column 'global_step_index' must be a number, got 'x'",
        ),
        ({"taxonomy": TAXONOMY.replace("11,M", "7,M")}, "'global_step_index' has 7 a second time"),
        ({"taxonomy": TAXONOMY.replace("Boil water.", " ")}, "line 4: column 'headline' must not"),
        (
            {"taxonomy": TAXONOMY.replace(",Boil water.,", "")},
            "line 4: the header has 7 columns, this row 5: 'headline' is missing",
        ),
        ({"splits": {"val seen": ["zzz"]}}, "split 'val seen' must be a word"),
        ({"splits": {"train": [["zzz"]]}}, "field 'train' must hold strings only"),
    ],
)
def test_bad_files_are_named(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        HtStep(write_htstep(tmp_path, **files))


def test_a_taxonomy_that_a_spreadsheet_saved_is_read(tmp_path):
    htstep = write_htstep(tmp_path, taxonomy="\ufeff" + TAXONOMY.replace("\n", "\r\n"))
    assert problems_of(htstep) == ["", "", ""]


@pytest.mark.parametrize("name", ["annotations.json", "taxonomy.csv", "video_splits.json"])
def test_a_missing_or_broken_file_is_named(tmp_path, name):
    write_htstep(tmp_path)
    (tmp_path / name).write_text("{")
    with pytest.raises(InputError, match=f"{name}: (is not JSON|has no column|is empty)"):
        HtStep(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{name}: cannot be read: No such file"):
        HtStep(tmp_path)


@pytest.mark.skipif(HTSTEP not in os.environ, reason=f"{HTSTEP} names no HT-Step directory")
def test_the_released_files():
    problems = problems_of(Path(os.environ[HTSTEP]))
    assert len(problems) >= 3441
    assert not any(problems)
