"""Pairs of described clips: who is paired with whom, and what is counted."""

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.benchmark.held_out import EvaluationClips, read_evaluation_clips
from data_prep.similarity.words import words_embedding
from data_prep.text.pair import choice as pair_choice
from data_prep.text.pair.choice import Described, PairLimits, choose_pairs
from launch.cli import main
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import read_jsonl, write_jsonl

WORDS = ("stir", "salt", "spoon", "wooden", "whisk", "pour", "slowly", "twice")
LAST = "video19_139_143"
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
groups = st.lists(st.tuples(st.integers(0, 3), texts), min_size=2, max_size=14).map(
    lambda rows: [
        Described(f"video{video}_{place}_{place + 5}", f"video{video}", text)
        for place, (video, text) in enumerate(rows)
    ]
)


@settings(deadline=None, max_examples=80)
@given(groups, st.integers(1, 3), st.integers(1, 9), st.floats(0, 0.5))
def test_every_pair_is_taken_or_counted_and_limits_hold(group, per_clip, per_keystep, lowest):
    limits = PairLimits(lowest, 0.95, per_clip, per_keystep)
    exclude = EvaluationClips(frozenset([frozenset((group[0].clip, group[-1].clip))]))
    dropped: Counter[str] = Counter()
    taken = choose_pairs(group, limits, exclude, words_embedding, dropped)
    assert len(taken) + sum(dropped.values()) == len(group) * (len(group) - 1) // 2
    assert len(taken) <= per_keystep
    uses = Counter(place for one, other, _ in taken for place in (one, other))
    assert all(count <= per_clip for count in uses.values())
    for one, other, similarity in taken:
        assert group[one].video != group[other].video
        assert group[one].text != group[other].text
        assert (group[one].clip, group[other].clip) not in exclude
        assert lowest <= similarity < 0.95
    assert [row[2] for row in taken] == sorted((row[2] for row in taken), reverse=True)


def pairs_of_a_plain_loop(group, limits, exclude, dropped):
    """The greedy choice as section 3.2's caps read, one pair at a time."""
    vectors = words_embedding([one.text for one in group]).toarray()
    similarity = np.round(vectors.astype(np.float64) @ vectors.T, 4)
    uses: Counter[int] = Counter()
    taken = []
    for one, other in sorted(
        combinations(range(len(group)), 2), key=lambda ends: (-similarity[ends], ends)
    ):
        first, second, value = group[one], group[other], similarity[one, other]
        reasons = {
            "one video": first.video == second.video,
            "evaluation pair": (first.clip, second.clip) in exclude,
            "same description": first.text == second.text,
            "too similar": value >= limits.highest,
            "not similar enough": value < limits.lowest,
            "clip has enough pairs": max(uses[one], uses[other]) >= limits.per_clip,
            "keystep has enough pairs": len(taken) >= limits.per_keystep,
        }
        reason = next((reason for reason, holds in reasons.items() if holds), "")
        if reason:
            dropped[reason] += 1
        else:
            uses.update((one, other))
            taken.append((one, other, value))
    return taken


@pytest.mark.parametrize("by", ["pair", "clip", "video"])
@pytest.mark.parametrize("block, kept, chunk", [(1 << 20, 1 << 22, 1 << 14), (40, 7, 3)])
def test_blocks_give_what_a_plain_loop_gives(monkeypatch, block, kept, chunk, by):
    for name, value in (("BLOCK", block), ("KEPT", kept), ("CHUNK", chunk)):
        monkeypatch.setattr(pair_choice, name, value)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        group = [
            Described(f"v{rng.integers(9)}_{place}_{place + 5}", "", " ".join(rng.choice(WORDS, 4)))
            for place in range(int(rng.integers(1, 40)))
        ]
        group = [one._replace(video=one.clip.split("_")[0]) for one in group]
        pairs = [frozenset((group[0].clip, other.clip)) for other in group[1:4]]
        exclude = EvaluationClips(frozenset(pairs), by)
        limits = PairLimits(0.2, 0.9, int(rng.integers(1, 5)), int(rng.integers(1, 40)))
        wanted, found = Counter(), Counter()
        expected = pairs_of_a_plain_loop(group, limits, exclude, wanted)
        assert choose_pairs(group, limits, exclude, words_embedding, found) == expected
        assert +found == wanted


PAIR = EvaluationClips(frozenset([frozenset(("a_0_5", "b_0_5"))]))


@pytest.mark.parametrize(
    "by, kept_out",
    [
        ("pair", {("a_0_5", "b_0_5")}),
        ("clip", {("a_0_5", "b_0_5"), ("a_0_5", "c_0_5")}),
        ("video", {("a_0_5", "b_0_5"), ("a_0_5", "c_0_5"), ("a_7_9", "c_0_5")}),
    ],
)
def test_what_evaluation_pairs_keep_out(by, kept_out):
    exclude = EvaluationClips(PAIR.pairs, by)
    for pair in combinations(("a_0_5", "a_7_9", "b_0_5", "c_0_5"), 2):
        if pair[0][0] != pair[1][0]:
            wanted = pair in kept_out or (by == "video" and pair[1] == "b_0_5")
            wanted |= by != "pair" and "b_0_5" in pair
            assert (pair in exclude) == wanted == (pair[::-1] in exclude)


def test_evaluation_pairs_of_all_three_files(tmp_path):
    mcq = [["a_0_1", "b_0_1"], ["c_0_1", "d_0_1"], ["e_0_1", "f_0_1"], ["g_0_1", "h_0_1"]]
    lines = {
        "cap": {"reference": "a_0_1", "candidate": "b_0_1", "category": "x", "text": ["y"]},
        "mcq": {"difference": "d", "category": "x", "options": mcq, "answer": mcq[0]},
        "rank": {
            "reference": "a_0_1",
            "targets": ["b_0_1", "i_0_1", "j_0_1", "k_0_1"],
            "category": "x",
            "scores": [5, 3, 2, 1],
        },
    }
    paths = [tmp_path / f"{name}.jsonl" for name in lines]
    for path, line in zip(paths, lines.values()):
        write_jsonl(path, [line])
    wanted = {frozenset(pair) for pair in [*mcq, *(["a_0_1", f"{one}_0_1"] for one in "ijk")]}
    assert read_evaluation_clips(paths).pairs == wanted
    write_jsonl(tmp_path / "bad.jsonl", [{"reference": 3}])
    with pytest.raises(InputError, match=r"bad\.jsonl, line 1"):
        read_evaluation_clips([tmp_path / "bad.jsonl"])


def source(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    clips = [
        {"clip": f"video{number % 20}_{number}_{number + 4}", "keystep": f"step {number % 7}"}
        for number in range(140)
    ]
    clips[3]["clip"] = "no clip id"
    clips.insert(9, dict(clips[8]))
    write_jsonl(tmp_path / "clips.jsonl", [{**clip, "split": "train"} for clip in clips])
    described = [
        {"clip": clip["clip"], "description": " ".join(rng.choice(WORDS, 4))} for clip in clips
    ]
    write_jsonl(tmp_path / "descriptions.jsonl", described[:-1])
    return f"--clips {tmp_path}/clips.jsonl --descriptions {tmp_path}/descriptions.jsonl".split()


def test_shards_together_are_the_whole_and_bad_clips_are_set_aside(tmp_path, capsys):
    files = source(tmp_path)
    assert main(["prep", "pair", *files, "--destination", f"{tmp_path}/pairs.jsonl"]) == 0
    assert "clip has enough pairs" in capsys.readouterr().out
    whole = [line.fields for line in read_jsonl(tmp_path / "pairs.jsonl")]
    by_clip = {line.string("clip"): line for line in read_jsonl(tmp_path / "clips.jsonl")}
    written = {(row["reference"], row["candidate"]) for row in whole}
    assert len(written) == len(whole) > 50
    assert all((candidate, reference) in written for reference, candidate in written)
    for row in whole:
        assert by_clip[row["reference"]].string("keystep") == row["keystep"]
        assert by_clip[row["candidate"]].string("keystep") == row["keystep"]
    summary = json.loads((tmp_path / "pairs.summary.json").read_text())
    dropped = {
        "clip has no description": 1,
        "clip id of another form": 1,
        "clip id was there before": 1,
    }
    assert summary["dropped"] == dropped
    assert (summary["in"], summary["out"]) == (7 + 3, len(whole))
    counts = summary["counts"]
    assert (counts["keysteps"], counts["clips"]) == (7, 138)
    candidates = sum(n * (n - 1) // 2 for n in Counter(
        row.string("keystep") for row in [*by_clip.values()]
        if row.string("clip") not in ("no clip id", LAST)
    ).values())  # fmt: skip
    not_taken = [number for name, number in counts.items() if name.startswith("pairs dropped")]
    assert sum(not_taken) + len(whole) // 2 == candidates
    parts, aside = [], []
    for number in range(1, 5):
        flags = ["--destination", f"{tmp_path}/s.jsonl", "--shard", f"{number}/4"]
        main(["prep", "pair", *files, *flags])
        parts += (tmp_path / f"s.{number}-of-4.jsonl").read_text().splitlines()
        aside += (tmp_path / f"s.{number}-of-4.quarantine.jsonl").read_text().splitlines()
    assert sorted(parts) == sorted((tmp_path / "pairs.jsonl").read_text().splitlines())
    apart = (tmp_path / "pairs.quarantine.jsonl").read_text().splitlines()
    assert sorted(aside) == sorted(apart)


def test_other_settings_or_input_are_an_error_and_the_same_again_is_nothing(tmp_path, capsys):
    files = source(tmp_path)
    command = ["prep", "pair", *files, "--destination", f"{tmp_path}/pairs.jsonl"]
    assert main(command) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.glob("pairs.*")}
    assert main(command) == 0
    assert main([*command, "--per-clip", "3"]) == 2
    assert "per_clip = 4, not 3" in capsys.readouterr().err
    clips = [line.fields for line in read_jsonl(tmp_path / "clips.jsonl")]
    write_jsonl(tmp_path / "clips.jsonl", clips[:-3])
    assert main(command) == 2
    assert "other input" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.glob("pairs.*")} == before


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--lowest", "0.9", "--highest", "0.5"], "--lowest 0.9: must be below --highest 0.5"),
        (["--per-clip", "0"], "--per-clip must be positive"),
        (["--exclude", "none.jsonl"], "none.jsonl: cannot be read"),
        (["--shard", "5/4"], "--shard 5/4"),
        (["--similarity", "internvideo"], "internvideo needs --lowest and --highest"),
        (["--similarity", "transformers"], "transformers needs --similarity-model: a "),
        (["--similarity-model", "x"], "--similarity-model x: --similarity words takes no model"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, flags, message):
    files = source(tmp_path)
    assert main(["prep", "pair", *files, "--destination", f"{tmp_path}/p.jsonl", *flags]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert not (tmp_path / "p.jsonl").exists()
