"""Sequences of consecutive clips, and single clips."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.kitchen.stand_ins import DIRECTORY as STAND_INS
from data_prep.records.sequences.groups import cut_at_gaps, split_by_cost, split_evenly
from data_prep.records.sequences.stage import SequenceLimits, write_sequences
from data_prep.stage import Shard
from launch.cli import main
from record_sources import read_lines, write_lines
from stepdiff_jax.data.lengths import record_example
from stepdiff_jax.data.records import SequenceRecord
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError

LATENTS = 8


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(STAND_INS / "tokenizer.model")


def clip(video: str, start: float, narration: str = "say", split: str = "train") -> dict:
    return {
        "clip": f"{video}_{start}",
        "video": video,
        "start": start,
        "end": start + 1,
        "narration": narration,
        "split": split,
    }


def many_clips() -> list[dict]:
    """Eleven videos of up to ten clips: some silent, some that talk long, one clip alone."""
    words = [
        "we",
        "stir",
        "the",
        "soup",
        "with",
        "a",
        "wooden",
        "spoon",
        "then",
        "add",
        "salt",
        "ok",
    ]
    rows = [
        clip(f"v{video}", 10 * place, " ".join(words[: (3 * video + 5 * place) % 12]))
        for video in range(10)
        for place in range(video + 1)
    ]
    return [*rows, clip("w", 0, "say " * 300), clip("w", 1), clip("w", 2)]


def groups(path: Path) -> list[list[str]]:
    return [row["clips"] for row in read_lines(path)]


def length(row: dict, tokenizer: Tokenizer) -> int:
    """Tokens of a line, laid out as in training."""
    record = SequenceRecord(tuple(range(len(row["clips"]))), tuple(row["narrations"]))
    return record_example(record, tokenizer, LATENTS).length


def test_consecutive_clips_of_a_video_with_their_narration(tmp_path):
    rows = [clip("a", start, f"at {start}") for start in (30, 10, 20, 0)]
    rows += [clip("b", 0, " "), clip("b", 5), clip("b", 9), clip("c", 1)]
    rows += [clip("d", 0, split="test"), clip("d", 1, split="test")]
    write_lines(tmp_path / "clips.jsonl", rows)
    summaries = write_sequences(tmp_path)
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
    summary = summaries["sequences.jsonl"]
    assert (summary["in"], summary["out"]) == (4, 4)  # videos, sequences
    assert summary["dropped"] == {"clip has no narration": 1, "clip stands alone": 1}
    assert summary["counts"] == {"clips in": 10, "clips out": 8}
    set_aside = read_lines(tmp_path / "sequences.quarantine.jsonl")
    assert [(row["clip"], row["reason"]) for row in set_aside] == [
        ("b_0", "clip has no narration"),
        ("c_1", "clip stands alone"),
    ]


def test_the_length_of_sequences_is_configurable(tmp_path):
    for most, expected in ((5, [5]), (2, [2, 2])):
        directory = tmp_path / str(most)
        directory.mkdir()
        write_lines(directory / "clips.jsonl", [clip("a", start) for start in range(5)])
        write_sequences(directory, SequenceLimits(most))
        assert [len(group) for group in groups(directory / "sequences.jsonl")] == expected


def test_no_sequences_leave_no_empty_file(tmp_path):
    write_lines(tmp_path / "clips.jsonl", [clip("a", 0), clip("b", 1)])
    for _ in range(2):
        assert write_sequences(tmp_path)["sequences.jsonl"]["out"] == 0
        assert not (tmp_path / "sequences.jsonl").exists()
    assert groups(tmp_path / "single.jsonl") == [["a_0"], ["b_1"]]


@pytest.mark.parametrize("budget", [110, 150, 300])
def test_no_record_is_longer_than_the_budget_and_nothing_is_lost(tmp_path, tokenizer, budget):
    rows = many_clips()
    write_lines(tmp_path / "clips.jsonl", rows)
    limits = SequenceLimits(None, tokens=budget, latents=LATENTS)
    summaries = write_sequences(tmp_path, limits, tokenizer=tokenizer)
    for name, summary in summaries.items():
        lines = read_lines(tmp_path / name)
        lengths = [length(row, tokenizer) for row in lines]
        assert max(lengths) <= budget
        assert summary["counts"].get("tokens", 0) == sum(lengths)
        set_aside = read_lines((tmp_path / name).with_suffix(".quarantine.jsonl"))
        told = [name for row in lines for name in row["clips"]] + [row["clip"] for row in set_aside]
        assert sorted(told) == sorted(row["clip"] for row in rows)
        assert Counter(row["reason"] for row in set_aside) == summary["dropped"]
    long = [
        row["clip"]
        for row in read_lines(tmp_path / "sequences.quarantine.jsonl")
        if row["reason"] == "clip is longer than the budget"
    ]
    assert "w_0" in long
    assert ["w_1", "w_2"] in groups(tmp_path / "sequences.jsonl")  # goes on over what is left out


def test_a_sequence_may_fill_the_budget_to_the_last_token(tmp_path, tokenizer):
    rows = [clip("a", start, "we stir it") for start in range(4)]
    line = {"clips": ["a_0"] * 4, "narrations": [row["narration"] for row in rows]}
    exact = length(line, tokenizer)
    for budget, expected in ((exact, [4]), (exact - 1, [2, 2])):
        directory = tmp_path / str(budget)
        directory.mkdir()
        write_lines(directory / "clips.jsonl", rows)
        limits = SequenceLimits(None, tokens=budget, latents=LATENTS)
        write_sequences(directory, limits, tokenizer=tokenizer)
        assert [len(group) for group in groups(directory / "sequences.jsonl")] == expected


def test_a_single_clip_is_counted_with_its_prompt(tmp_path, tokenizer):
    write_lines(tmp_path / "clips.jsonl", [clip("a", 0), clip("a", 1)])
    single = length({"clips": ["a_0"], "narrations": ["say"]}, tokenizer)
    limits = SequenceLimits(None, tokens=single - 1, latents=LATENTS)
    summaries = write_sequences(tmp_path, limits, tokenizer=tokenizer)
    assert summaries["sequences.jsonl"]["out"] == 1
    assert summaries["single.jsonl"]["dropped"] == {"clip is longer than the budget": 2}
    detail = read_lines(tmp_path / "single.quarantine.jsonl")[0]["detail"]
    assert detail == f"{single} tokens, --tokens {single - 1}"


def test_a_long_gap_ends_a_sequence_where_that_is_asked(tmp_path):
    rows = [clip("a", start) for start in (0, 2, 50, 52)]
    whole, halves = [["a_0", "a_2", "a_50", "a_52"]], [["a_0", "a_2"], ["a_50", "a_52"]]
    for gap, expected in ((None, whole), (47.0, whole), (46.9, halves)):
        directory = tmp_path / str(gap)
        directory.mkdir()
        write_lines(directory / "clips.jsonl", rows)
        write_sequences(directory, SequenceLimits(4, longest_gap=gap))
        assert groups(directory / "sequences.jsonl") == expected


def test_a_gap_counts_from_the_latest_end():
    runs = cut_at_gaps("abcd", [0, 1, 12, 30], [20, 2, 13, 31], 9)
    assert runs == ["abc", "d"]
    assert cut_at_gaps("", [], [], 1) == [""]


@given(st.integers(1, 40), st.integers(2, 6))
def test_groups_are_few_and_even(count, most):
    parts = split_evenly(range(count), most)
    assert [item for part in parts for item in part] == list(range(count))
    sizes = [len(part) for part in parts]
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == -(-count // most)


def every_cut(count: int):
    """Edges of every way to cut `count` items into consecutive groups."""
    for chosen in range(2 ** (count - 1)):
        inner = [place for place in range(1, count) if chosen >> (place - 1) & 1]
        yield [0, *inner, count]


@given(
    st.lists(st.integers(1, 10), min_size=1, max_size=8),
    st.integers(10, 30),
    st.one_of(st.none(), st.integers(1, 4)),
)
def test_groups_by_cost_are_the_best_of_all(costs, budget, most):
    def badness(edges):
        sums = [sum(costs[start:end]) for start, end in pairwise(edges)]
        longest = max(end - start for start, end in pairwise(edges))
        if max(sums) > budget or (most and longest > most):
            return (len(costs) + 1, 0)
        return (len(sums), sum(value**2 for value in sums))

    parts = split_by_cost(range(len(costs)), costs, budget, most)
    assert [item for part in parts for item in part] == list(range(len(costs)))
    edges = [0, *(part[-1] + 1 for part in parts)]
    assert badness(edges) == min(map(badness, every_cut(len(costs))))


def test_shards_together_hold_what_one_run_holds(tmp_path, tokenizer):
    limits = SequenceLimits(4, tokens=80, latents=LATENTS, longest_gap=40)
    write_lines(tmp_path / "clips.jsonl", many_clips())
    write_sequences(tmp_path, limits, tokenizer=tokenizer)
    for number in range(1, 5):
        write_sequences(tmp_path, limits, tokenizer=tokenizer, shard=Shard(number, 4))
    for name in ("sequences", "single", "sequences.quarantine", "single.quarantine"):
        stem, _, kind = name.partition(".")
        suffix = f".{kind}.jsonl" if kind else ".jsonl"
        parts = [tmp_path / f"{stem}.{number}-of-4{suffix}" for number in range(1, 5)]
        lines = [line for part in parts if part.exists() for line in part.read_text().splitlines()]
        assert sorted(lines) == sorted((tmp_path / f"{name}.jsonl").read_text().splitlines())


def test_killed_and_started_again_leaves_the_same_bytes(tmp_path):
    rows = [
        clip(f"v{video}", 10 * place, f"say {video} {place} " * 20)
        for video in range(1500)
        for place in range(8)
    ]
    command = ["prep", "sequences", "--tokens", "600", "--latents", "8", "--longest-gap", "30"]
    command += ["--tokenizer", str(STAND_INS / "tokenizer.model"), "--directory"]
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        write_lines(tmp_path / name / "clips.jsonl", rows)
    main([*command, str(tmp_path / "whole")])
    directory = tmp_path / "killed"
    program = [sys.executable, "-m", "launch", *command, str(directory)]
    process = subprocess.Popen(program, stderr=subprocess.DEVNULL)
    journal = directory / "sequences.part"
    while process.poll() is None and not (journal.exists() and journal.stat().st_size > 10_000):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (directory / "single.summary.json").exists()
    main([*command, str(directory)])
    for path in sorted((tmp_path / "whole").iterdir()):
        assert (directory / path.name).read_bytes() == path.read_bytes()
    assert len(list(directory.iterdir())) == len(list((tmp_path / "whole").iterdir()))


def test_other_settings_are_an_error_and_the_same_ones_do_nothing(tmp_path, capsys):
    write_lines(tmp_path / "clips.jsonl", [clip("a", 0), clip("a", 1)])
    command = ["prep", "sequences", "--directory", str(tmp_path)]
    main(command)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    main(command)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert "sequences: already done" in capsys.readouterr().err
    assert main([*command, "--longest-gap", "5"]) == 2
    assert "was made with longest_gap = None, not 5.0" in capsys.readouterr().err


def test_bad_input_is_named(tmp_path, tokenizer):
    path = tmp_path / "clips.jsonl"
    with pytest.raises(InputError, match="--clips-per-sequence must be at least 2, got 1"):
        write_sequences(tmp_path, SequenceLimits(1))
    with pytest.raises(InputError, match="--tokens must be positive, got 0"):
        SequenceLimits(tokens=0)
    with pytest.raises(InputError, match="--longest-gap must not be negative, got nan"):
        SequenceLimits(longest_gap=float("nan"))
    with pytest.raises(InputError, match="--tokens and --tokenizer must be given together"):
        write_sequences(tmp_path, tokenizer=tokenizer)
    with pytest.raises(InputError, match="sequences need a limit"):
        SequenceLimits(None)
    with pytest.raises(InputError, match=r"clips\.jsonl: cannot be read"):
        write_sequences(tmp_path)
    write_lines(path, [clip("a", 0, "")])
    with pytest.raises(InputError, match="no clip has a narration"):
        write_sequences(tmp_path)
    write_lines(path, [clip("a", 0), {**clip("a", 1), "start": None}])
    with pytest.raises(InputError, match="line 2: field 'start' must be a finite number, got None"):
        write_sequences(tmp_path)
    write_lines(path, [clip("a", 0), clip("a", 0)])
    with pytest.raises(InputError, match="line 2: field 'clip' is also in line 1"):
        write_sequences(tmp_path)
