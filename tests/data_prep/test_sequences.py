"""Sequences of consecutive clips, and single clips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.sequences import split_evenly, write_sequences
from record_sources import read_lines, write_lines
from stepdiff_jax.errors import InputError


def clip(video: str, start: float, narration: str = "say", split: str = "train") -> dict:
    return {
        "clip": f"{video}_{start}",
        "video": video,
        "start": start,
        "narration": narration,
        "split": split,
    }


def groups(path) -> list[list[str]]:
    return [row["clips"] for row in read_lines(path)]


def test_consecutive_clips_of_a_video_with_their_narration(tmp_path):
    rows = [clip("a", start, f"at {start}") for start in (30, 10, 20, 0)]
    rows += [clip("b", 0, " "), clip("b", 5), clip("b", 9), clip("c", 1)]
    rows += [clip("d", 0, split="test"), clip("d", 1, split="test")]
    write_lines(tmp_path / "clips.jsonl", rows)
    assert write_sequences(tmp_path) == 4
    first = read_lines(tmp_path / "sequences.jsonl")[0]
    assert first == {"clips": ["a_0", "a_10"], "narrations": ["at 0", "at 10"], "split": "train"}
    assert groups(tmp_path / "sequences.jsonl")[1:] == [
        ["a_20", "a_30"],
        ["b_5", "b_9"],
        ["d_0", "d_1"],
    ]
    singles = groups(tmp_path / "single.jsonl")
    assert sorted(singles) == [
        [row["clip"]]
        for row in sorted(rows, key=lambda row: row["clip"])
        if row["narration"].strip()
    ]
    assert read_lines(tmp_path / "single.jsonl")[-1]["split"] == "test"


def test_the_length_of_sequences_is_configurable(tmp_path):
    write_lines(tmp_path / "clips.jsonl", [clip("a", start) for start in range(5)])
    assert write_sequences(tmp_path, clips_per_sequence=5) == 1
    assert write_sequences(tmp_path, clips_per_sequence=2) == 2
    assert groups(tmp_path / "sequences.jsonl") == [["a_1", "a_2"], ["a_3", "a_4"]]


def test_no_sequences_leave_no_file_of_an_earlier_run(tmp_path):
    write_lines(tmp_path / "clips.jsonl", [clip("a", 0), clip("a", 1)])
    assert write_sequences(tmp_path) == 1
    write_lines(tmp_path / "clips.jsonl", [clip("a", 0), clip("b", 1)])
    assert write_sequences(tmp_path) == 0
    assert not (tmp_path / "sequences.jsonl").exists()
    assert groups(tmp_path / "single.jsonl") == [["a_0"], ["b_1"]]


@given(st.integers(1, 40), st.integers(2, 6))
def test_groups_are_few_and_even(count, most):
    parts = split_evenly(range(count), most)
    assert [item for part in parts for item in part] == list(range(count))
    sizes = [len(part) for part in parts]
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == -(-count // most)


def test_bad_input_is_named(tmp_path):
    path = tmp_path / "clips.jsonl"
    with pytest.raises(InputError, match="clips_per_sequence must be at least 2, got 1"):
        write_sequences(tmp_path, clips_per_sequence=1)
    with pytest.raises(InputError, match=r"clips\.jsonl: cannot be read"):
        write_sequences(tmp_path)
    write_lines(path, [clip("a", 0, "")])
    with pytest.raises(InputError, match="no clip has a narration"):
        write_sequences(tmp_path)
    write_lines(path, [clip("a", 0), {**clip("a", 1), "start": None}])
    with pytest.raises(InputError, match="line 2: field 'start' must be a finite number, got None"):
        write_sequences(tmp_path)
