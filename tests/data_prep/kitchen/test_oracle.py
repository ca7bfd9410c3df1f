"""Training pairs and annotations that the oracle makes of a kitchen's truth."""

import json
from collections import Counter, defaultdict

import numpy as np
import pytest

from data_prep.kitchen import language
from data_prep.kitchen.oracle import (
    ERROR_RATE,
    TARGETS,
    TrueClip,
    annotated_differences,
    misread,
    paired_questions,
    read_truth,
)
from data_prep.kitchen.world import ATTRIBUTES, CATEGORIES, KEYSTEPS, VALUES, sample_scene, score
from stepdiff_jax.data.prompts import difference_question, ranking_question
from stepdiff_jax.errors import InputError

SUMMARIES = {
    "summarize the differences": 1.0,
    "summarize what is the same and what is different": 2.0,
    "rate how similar the videos are from 1 to 5": 3.0,
}
"""Question -> loss weight of its answer."""


def make_clips(videos: int, split: str = "train") -> list[TrueClip]:
    """Five clips of each video; unlike a world's, a video may show a keystep twice."""
    rng = np.random.default_rng(11)
    return [
        TrueClip(f"vi_{video:02d}_{6 * place}.5_{6 * place + 5}", sample_scene(rng, split, keystep))
        for video in range(videos)
        for place, keystep in enumerate(rng.integers(len(KEYSTEPS), size=5).tolist())
    ]


@pytest.fixture(scope="module")
def clips() -> list[TrueClip]:
    return make_clips(60)


@pytest.fixture(scope="module")
def by_id(clips) -> dict[str, TrueClip]:
    return {clip.clip: clip for clip in clips}


@pytest.fixture(scope="module")
def pairs(clips) -> list[dict]:
    return list(paired_questions(clips, partners=2, seed=0))


@pytest.fixture(scope="module")
def annotations(clips) -> list[dict]:
    return list(annotated_differences(clips, references=80, seed=0))


def test_a_video_id_may_hold_underscores(clips):
    assert clips[0].video == "vi_00"
    assert clips[5].video == "vi_01"


def test_pairs_are_of_one_keystep_and_two_videos(pairs, clips, by_id):
    assert len(pairs) == 2 * len(clips)
    for pair in pairs:
        first, second = by_id[pair["reference"]], by_id[pair["candidate"]]
        assert first.scene.keystep == second.scene.keystep
        assert first.video != second.video
        assert first.scene != second.scene


def test_pairs_are_more_alike_than_chance(pairs, clips, by_id):
    def shared(first, second):
        return sum(a == b for a, b in zip(first.scene.values, second.scene.values))

    chosen = [shared(by_id[pair["reference"]], by_id[pair["candidate"]]) for pair in pairs]
    chance = [
        shared(first, second)
        for first in clips
        for second in clips
        if first.video != second.video and first.scene.keystep == second.scene.keystep
    ]
    assert np.mean(chosen) > np.mean(chance) + 1


def test_both_ways_round_are_asked(pairs, clips):
    turned = [pair["candidate"] == clips[number // 2].clip for number, pair in enumerate(pairs)]
    assert np.mean(turned) == pytest.approx(0.5, abs=0.1)


def test_each_pair_is_asked_for_a_difference_verdicts_and_a_summary(pairs):
    differences = {difference_question(category) for category in CATEGORIES}
    verdicts = {ranking_question(category) for category in CATEGORIES}
    exact = {ranking_question(attribute) for attribute in ATTRIBUTES}
    for pair in pairs:
        difference, verdict, summary, *single = pair["questions"]
        assert difference["question"] in differences
        assert verdict["question"] in verdicts
        assert summary["question"] in SUMMARIES
        assert len(single) == 2
        assert {asked["question"] for asked in single} <= exact
        for asked in pair["questions"]:
            judged = asked["question"] in verdicts | exact
            assert judged == (asked["answer"] in ("YES", "NO"))
        assert (difference["weight"], verdict["weight"]) == (1.0, 4.0)
        assert summary["weight"] == SUMMARIES[summary["question"]]
    asked_for = Counter(pair["questions"][2]["question"] for pair in pairs)
    assert min(asked_for[question] for question in SUMMARIES) > 0.2 * len(pairs)


def test_errors_are_as_frequent_as_they_are_said_to_be(pairs, by_id):
    """Difference captions that are not the true one of any category."""
    wrong = []
    for pair in pairs:
        first, second = by_id[pair["reference"]].scene, by_id[pair["candidate"]].scene
        asked = pair["questions"][0]
        category = next(c for c in CATEGORIES if difference_question(c) == asked["question"])
        wrong.append(asked["answer"] != language.difference_caption(first, second, category))
    # A misread scene is wrong in a given category in about two cases of five.
    assert 0.2 * ERROR_RATE < np.mean(wrong) < 0.8 * ERROR_RATE


def test_verdicts_on_single_attributes_are_exact_but_for_misread_scenes(pairs, by_id):
    wrong = []
    for pair in pairs:
        first, second = by_id[pair["reference"]].scene, by_id[pair["candidate"]].scene
        for asked in pair["questions"][3:]:
            attribute = next(a for a in ATTRIBUTES if ranking_question(a) == asked["question"])
            same = first.word(attribute) == second.word(attribute)
            wrong.append(asked["answer"] != ("YES" if same else "NO"))
    assert np.mean(wrong) < ERROR_RATE


def test_a_misread_scene_differs_in_three_values_at_most():
    rng = np.random.default_rng(0)
    changed = []
    for _ in range(300):
        scene = sample_scene(rng, "train")
        other = misread(scene, rng)
        assert other.keystep == scene.keystep
        assert all(0 <= v < len(VALUES[name]) for v, name in zip(other.values, ATTRIBUTES))
        changed.append(sum(a != b for a, b in zip(scene.values, other.values)))
    assert max(changed) == 3
    assert np.mean(changed) > 1.5


def test_verdicts_follow_the_scores(pairs, by_id):
    answers: dict[int, list[bool]] = defaultdict(list)
    for pair in pairs:
        first, second = by_id[pair["reference"]].scene, by_id[pair["candidate"]].scene
        for asked in pair["questions"]:
            for category in CATEGORIES:
                if asked["question"] == ranking_question(category):
                    answers[score(first, second, category)].append(asked["answer"] == "YES")
    assert set(answers) == set(language.YES_SHARE)
    for similarity, share in language.YES_SHARE.items():
        found = answers[similarity]
        # Four standard errors, and what a misread scene can move.
        bound = 4 * np.sqrt(share * (1 - share) / len(found)) + ERROR_RATE
        assert np.mean(found) == pytest.approx(share, abs=bound), similarity


def test_annotations_are_of_four_targets_in_every_category(annotations, by_id):
    targets: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in annotations:
        targets[row["reference"], row["category"]].append(row["candidate"])
    references = {reference for reference, _ in targets}
    assert len(references) == 80
    assert set(targets) == {(one, category) for one in references for category in CATEGORIES}
    for (reference, category), candidates in targets.items():
        assert len(set(candidates)) == TARGETS
        assert candidates == targets[reference, next(iter(CATEGORIES))], category


def test_annotations_tell_the_truth(annotations, by_id):
    for row in annotations:
        first, second = by_id[row["reference"]], by_id[row["candidate"]]
        assert first.video != second.video
        assert row["keystep"] == first.scene.keystep == second.scene.keystep
        assert row["score"] == score(first.scene, second.scene, row["category"])
        assert (row["captions"] == []) == (row["score"] == 5)
        for caption in row["captions"]:
            right = language.correct_attributes(caption, first.scene, second.scene, row["category"])
            assert right == (4, 4)
        assert len(set(row["captions"])) == len(row["captions"])


def test_targets_have_several_scores(annotations):
    """What DiffRank needs: lines whose scores are all equal are rare."""
    scores: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in annotations:
        scores[row["reference"], row["category"]].append(row["score"])
    distinct = Counter(len(set(values)) for values in scores.values())
    assert distinct[1] < 0.05 * len(scores)
    assert distinct[3] + distinct[4] > 0.4 * len(scores)


def test_same_seed_same_output(clips, pairs, annotations):
    assert list(paired_questions(clips, partners=2, seed=0)) == pairs
    assert list(annotated_differences(clips, references=80, seed=0)) == annotations
    assert list(paired_questions(clips, partners=2, seed=1)) != pairs
    assert list(annotated_differences(clips, references=80, seed=1)) != annotations


def test_too_few_clips_of_a_keystep():
    clips = make_clips(3)
    with pytest.raises(InputError, match=r"clip 'vi_00_.*other clips of its keystep, 4 are needed"):
        list(paired_questions(clips, partners=1, seed=0))
    with pytest.raises(InputError, match="4 are needed"):
        list(annotated_differences(clips, references=1, seed=0))


def test_truth_is_read_by_split(clips, tmp_path):
    path = tmp_path / "truth.jsonl"
    rows = [
        {
            "clip": clip.clip,
            "keystep": clip.scene.keystep,
            "values": {name: clip.scene.word(name) for name in ATTRIBUTES},
            "split": "train" if number % 2 else "test",
        }
        for number, clip in enumerate(clips)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_truth(path, "train") == clips[1::2]
    assert read_truth(path, "test") == clips[::2]
    with pytest.raises(InputError, match=r"truth\.jsonl: field 'split': no clips of 'validation'"):
        read_truth(path, "validation")
