"""Pairs of described clips: who is paired with whom, and what is counted."""

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import kitchen
from data_prep.evaluation_clips import EvaluationClips, read_evaluation_clips
from data_prep.kitchen import stand_ins
from data_prep.pair import Described, Limits, choose_pairs
from data_prep.similarity import internvideo_embedding, words_embedding
from stepdiff_jax.cli import main
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import read_jsonl, write_jsonl
from stepdiff_jax.loading.build import build_model

WORDS = ("stir", "salt", "spoon", "wooden", "whisk", "pour", "slowly", "twice")
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
    limits = Limits(lowest, 0.95, per_clip, per_keystep)
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


@given(st.lists(texts, min_size=1, max_size=8))
@settings(deadline=None)
def test_similarity_of_words_is_a_cosine(several):
    vectors = words_embedding(several)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for (i, one), (j, other) in combinations(enumerate(several), 2):
        similarity = vectors[i] @ vectors[j]
        shared, every = set(one.split()) & set(other.split()), set((one + " " + other).split())
        assert (similarity > 1 - 1e-5) == (shared == every)
        assert (similarity < 1e-6) == (not shared)


def test_similarity_by_the_text_tower_of_internvideo():
    experiment = kitchen.experiment()
    tokenizer = Tokenizer(experiment.weights.tokenizer)
    embed = internvideo_embedding(
        build_model(experiment).encoder,
        lambda several: stand_ins.text_ids(several, tokenizer, experiment.encoder.text),
    )
    texts = ["a wooden spoon", "a wooden spoon", "stirring finely cut onions"]
    cosines = embed(texts) @ embed(texts).T
    np.testing.assert_allclose(np.append(cosines[0, :2], cosines[2, 2]), 1, atol=1e-6)
    assert cosines[0, 2] < 1 - 1e-4


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
    write_jsonl(tmp_path / "clips.jsonl", [{**clip, "split": "train"} for clip in clips])
    described = [
        {"clip": clip["clip"], "description": " ".join(rng.choice(WORDS, 4))} for clip in clips
    ]
    write_jsonl(tmp_path / "descriptions.jsonl", described[:-1])
    return f"--clips {tmp_path}/clips.jsonl --descriptions {tmp_path}/descriptions.jsonl".split()


def test_shards_together_are_the_whole_and_bad_clips_are_set_aside(tmp_path, capsys):
    files = source(tmp_path)
    assert main(["prep", "pair", *files, "--destination", f"{tmp_path}/pairs.jsonl"]) == 0
    assert "one video" in capsys.readouterr().out
    whole = [line.fields for line in read_jsonl(tmp_path / "pairs.jsonl")]
    by_clip = {line.string("clip"): line for line in read_jsonl(tmp_path / "clips.jsonl")}
    written = {(row["reference"], row["candidate"]) for row in whole}
    assert len(written) == len(whole) > 50
    assert all((candidate, reference) in written for reference, candidate in written)
    for row in whole:
        assert by_clip[row["reference"]].string("keystep") == row["keystep"]
        assert by_clip[row["candidate"]].string("keystep") == row["keystep"]
    summary = json.loads((tmp_path / "pairs.summary.json").read_text())
    assert summary["quarantined"] == {"clip has no description": 1, "clip id of another form": 1}
    assert summary["in"] == 138
    parts = []
    for number in range(1, 5):
        flags = ["--destination", f"{tmp_path}/s.jsonl", "--shard", f"{number}/4"]
        main(["prep", "pair", *files, *flags])
        parts += [line.fields for line in read_jsonl(tmp_path / f"s.{number}-of-4.jsonl")]

    def key(row):
        return row["reference"], row["candidate"]

    assert sorted(parts, key=key) == sorted(whole, key=key)


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--lowest", "0.9", "--highest", "0.5"], "--lowest 0.9: must be below --highest 0.5"),
        (["--per-clip", "0"], "--per-clip must be positive"),
        (["--exclude", "none.jsonl"], "none.jsonl: cannot be read"),
        (["--shard", "5/4"], "--shard 5/4"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, flags, message):
    files = source(tmp_path)
    assert main(["prep", "pair", *files, "--destination", f"{tmp_path}/p.jsonl", *flags]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert not (tmp_path / "p.jsonl").exists()
