"""Official benchmark files out of difference annotations, on the kitchen's and on small ones."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from msgspec.structs import replace

from data_prep.benchmark.write import (
    diffcap,
    diffmcq,
    diffrank,
    word_overlap,
    write_benchmark,
)
from data_prep.kitchen.oracle import TrueClip, annotated_differences
from data_prep.kitchen.world import KEYSTEPS, Scene, sample_scene
from data_prep.schema.differences import Difference
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import (
    TASKS,
    DiffCap,
    DiffRank,
    read_diffcap,
    read_diffmcq,
    read_diffrank,
)


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    rng = np.random.default_rng(2)
    return {
        f"video{number}_{keystep}_{keystep + 1}": sample_scene(rng, "test", keystep)
        for number in range(14)
        for keystep in range(len(KEYSTEPS))
    }


@pytest.fixture(scope="module")
def differences(scenes) -> list[Difference]:
    clips = [TrueClip(clip, scene) for clip, scene in scenes.items()]
    rows = annotated_differences(clips, references=40, seed=0)
    return [Difference.of(row) for row in rows]


@pytest.fixture(scope="module")
def captions(differences) -> dict[tuple[str, str, str], str]:
    return {
        (one.reference, one.candidate, one.category): one.captions[0]
        for one in differences
        if one.captions
    }


def test_diffcap_holds_all_captions_of_every_difference(differences):
    instances = diffcap(differences)
    wanted = {
        (one.reference, one.candidate, one.category): tuple(one.captions)
        for one in differences
        if one.captions
    }
    assert {(i.reference, i.candidate, i.category): i.text for i in instances} == wanted
    assert len(instances) == len(wanted) < len(differences)


def test_annotators_captions_are_joined():
    one = Difference("a_0_1", "b_0_1", "mix", "Actions", ["stirs"], 2)
    other = replace(one, captions=["mixes", "turns"])
    assert diffcap([one, other]) == [
        DiffCap("a_0_1", "b_0_1", "Actions", ("stirs", "mixes", "turns"))
    ]


def test_mcq_answers_are_what_the_caption_was_written_for(differences, captions):
    instances = diffmcq(differences, hard=12, seed=0)
    assert len(instances) > 0.9 * len(captions)
    for one in instances:
        assert captions[(*one.answer, one.category)] == one.difference


def test_mcq_negatives_are_other_differences_of_the_keystep(differences, captions, scenes):
    for one in diffmcq(differences, hard=12, seed=0):
        assert len(set(one.options)) == 4
        assert one.options.count(one.answer) == 1
        keysteps = {scenes[clip].keystep for pair in one.options for clip in pair}
        assert len(keysteps) == 1
        for pair in one.options:
            if pair != one.answer:
                assert captions[(*pair, one.category)] != one.difference


def test_mcq_answers_stand_at_every_place(differences):
    places = Counter(one.answer_index for one in diffmcq(differences, hard=12, seed=0))
    total = places.total()
    bound = 4 * np.sqrt(0.25 * 0.75 / total)
    assert all(places[place] / total == pytest.approx(0.25, abs=bound) for place in range(4))


def test_mcq_negatives_are_hard(differences, captions):
    def overlap(hard):
        return np.mean([
            word_overlap([one.difference, captions[(*pair, one.category)]])(0)[1]
            for one in diffmcq(differences, hard=hard, seed=0)
            for pair in one.options
            if pair != one.answer
        ])  # fmt: skip

    assert overlap(3) > overlap(12) > overlap(10_000)


def test_hard_negatives_are_the_nearest_ones():
    """With `hard=3` they are the three pairs whose captions share most words."""
    answer = "adds red onions with salt"
    texts = [answer, "adds red onions with oil", "adds red onions", "red onions with chili",
             "stirs it", "sings", answer]  # fmt: skip
    rows = [
        Difference(f"a{number}_0_1", f"b{number}_0_1", "mix", "Actions", [text], 1)
        for number, text in enumerate(texts)
    ]
    first = diffmcq(rows, hard=3, seed=0)[0]
    assert first.difference == answer
    assert {reference for reference, _ in first.options} == {
        "a0_0_1", "a1_0_1", "a2_0_1", "a3_0_1"}  # fmt: skip


def test_mcq_leaves_out_what_has_too_few_negatives():
    rows = [
        Difference(f"a{number}_0_1", f"b{number}_0_1", "mix", "Actions", (f"text {number}",), 1)
        for number in range(3)
    ]
    assert diffmcq(rows, hard=12, seed=0) == []
    other_keystep = replace(rows[0], reference="c_0_1", keystep="fry", captions=["text 4"])
    assert diffmcq([*rows, other_keystep], hard=12, seed=0) == []
    same_keystep = replace(other_keystep, keystep="mix")
    assert len(diffmcq([*rows, same_keystep], hard=12, seed=0)) == 4


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [("a b c", "a b c", 1.0), ("a b", "b a a", 1.0), ("a b", "c", 0.0), ("a b c", "b c d", 0.5)],
)
def test_word_overlap(first, second, overlap):
    assert word_overlap([first, second])(0).tolist() == [1.0, overlap]


def test_diffrank_lines_have_one_tie_at_most_and_the_annotated_scores(differences):
    instances = diffrank(differences)
    wanted: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for one in differences:
        wanted[one.reference, one.category].append((one.candidate, one.score))
    untied = {key for key, targets in wanted.items() if len({s for _, s in targets}) >= 3}
    assert {(one.reference, one.category) for one in instances} == untied
    assert 0 < len(untied) < len(wanted)
    for one in instances:
        assert list(zip(one.targets, one.scores)) == wanted[one.reference, one.category]


@pytest.mark.parametrize(
    ("scores", "kept"),
    [((1, 2, 4, 5), True), ((1, 1, 4, 5), True), ((1, 1, 5, 5), False), ((2, 2, 2, 5), False)],
)
def test_ties_of_a_diffrank_line(scores, kept):
    targets = tuple(f"b{number}_0_1" for number in range(4))
    rows = [
        Difference("a_0_1", target, "mix", "Actions", (), score)
        for target, score in zip(targets, scores)
    ]
    assert diffrank(rows) == ([DiffRank("a_0_1", targets, "Actions", scores)] if kept else [])


def annotated(scores, category="Actions") -> list[Difference]:
    return [
        Difference("a_0_1", f"b{number}_0_1", "mix", category, (), score)
        for number, score in enumerate(scores)
    ]


def test_what_gives_no_line_is_counted():
    left_out: Counter[str] = Counter()
    rows = annotated([1, 2, 3]) + annotated([1, 1, 5, 5], "Visuals") + annotated([5, 4, 3, 2], "x")
    (line,) = diffrank([*rows, rows[-1]], left_out=left_out)
    assert line.category == "x"
    reasons = {"fewer than 4 targets": 1, "more than one tie": 1, "target was there before": 1}
    assert left_out == reasons


def test_of_more_than_four_targets_four_are_drawn_that_tie_at_most_once():
    rows = annotated([0, 0, 0, 0, 0, 3, 5, 3, 3])
    drawn = set()
    for seed in range(20):
        left_out: Counter[str] = Counter()
        (line,) = diffrank(rows, seed=seed, left_out=left_out)
        assert left_out == {"target beyond the fourth": 5}
        assert [line] == diffrank(rows, seed=seed)
        assert len(set(line.scores)) == 3
        found = dict(zip(line.targets, line.scores))
        order = [one.candidate for one in rows if one.candidate in found]
        assert order == list(line.targets)
        assert all(found[one.candidate] == one.score for one in rows if one.candidate in found)
        drawn.add(line.targets)
    assert len(drawn) > 5
    assert diffrank(annotated([0, 0, 0, 0, 5])) == []


def test_a_pair_that_is_annotated_again_is_asked_about_once():
    texts = ["one way", "another way", "a third", "a fourth"]
    rows = [
        Difference(f"a{number}_0_1", f"b{number}_0_1", "mix", "Actions", [text], 1)
        for number, text in enumerate(texts)
    ]
    left_out: Counter[str] = Counter()
    again = replace(rows[0], captions=["a fifth"])
    assert diffmcq([*rows, again], hard=3, seed=0, left_out=left_out) == diffmcq(
        rows, hard=3, seed=0
    )
    assert left_out == {"pair was there before": 1}


def test_files_are_those_that_the_official_readers_read(differences, tmp_path):
    counts = write_benchmark(differences, tmp_path, seed=0)
    assert read_diffcap(tmp_path / "diffcap_dataset.jsonl") == diffcap(differences)
    assert read_diffmcq(tmp_path / "diffmcq_dataset.jsonl") == diffmcq(differences, hard=12, seed=0)
    assert read_diffrank(tmp_path / "diffrank_dataset.jsonl") == diffrank(differences)
    assert set(counts) == set(TASKS)
    assert counts["diffcap"] == len(diffcap(differences))


def test_a_limit_keeps_a_sample_in_file_order(differences, tmp_path):
    counts = write_benchmark(differences, tmp_path, limit=30, seed=0)
    assert counts == dict.fromkeys(TASKS, 30)
    every, kept = diffcap(differences), read_diffcap(tmp_path / "diffcap_dataset.jsonl")
    places = [every.index(one) for one in kept]
    assert places == sorted(set(places))
    assert places != list(range(30))
    assert {one.category for one in kept} == {one.category for one in every}


def test_same_seed_same_files(differences, tmp_path):
    def written(name, seed):
        write_benchmark(differences, tmp_path / name, limit=40, seed=seed)
        return [(tmp_path / name / f"{task}_dataset.jsonl").read_bytes() for task in TASKS]

    assert written("one", 0) == written("two", 0)
    assert all(a != b for a, b in zip(written("one", 0), written("three", 1)))


def test_annotations_without_an_instance(tmp_path):
    rows = [
        Difference("a_0_1", f"b{number}_0_1", "mix", "Actions", (), number + 1)
        for number in range(4)
    ]
    with pytest.raises(InputError, match="the annotations yield no instance of diffcap"):
        write_benchmark(rows, tmp_path)
    assert not list(tmp_path.iterdir())
