"""Noisy questions: a share has errors, they fit in rows, and the filter finds most."""

import json
from pathlib import Path

import pytest

from data_prep.kitchen import stand_ins
from data_prep.kitchen.faults import random_clips
from data_prep.kitchen.noisy_questions import PAIR_TOKENS, thresholds, write_noisy_questions
from data_prep.kitchen.oracle import paired_questions
from data_prep.kitchen.world import ATTRIBUTES
from data_prep.schema.text import AskedPair
from data_prep.text.filter.registry import RULES
from data_prep.text.filter.stage import filter_questions
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.jsonl import write_jsonl


@pytest.fixture(scope="module")
def clips():
    return random_clips(200, seed=3)


@pytest.fixture(scope="module")
def rows(clips, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    root = tmp_path_factory.mktemp("noisy")
    truth = [
        {
            "clip": one.clip,
            "keystep": one.scene.keystep,
            "values": {name: one.scene.word(name) for name in ATTRIBUTES},
            "split": split,
        }
        for split, group in (("train", clips[:100]), ("validation", clips[100:]))
        for one in group
    ]
    write_jsonl(root / "truth.jsonl", truth)
    path = root / "questions.jsonl"
    count = write_noisy_questions(root / "truth.jsonl", path, partners=2, seed=0)
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert count == len(found)
    again = Path(f"{path}.again")
    write_noisy_questions(root / "truth.jsonl", again, partners=2, seed=0)
    assert again.read_bytes() == path.read_bytes()
    return found


def test_half_of_the_questions_that_can_have_errors_do(rows, clips):
    clean: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for seed, group in ((0, clips[:100]), (1, clips[100:])):
        for row in paired_questions(group, partners=2, seed=seed):
            said = {(one["question"], one["answer"]) for one in row["questions"]}
            clean.setdefault((row["reference"], row["candidate"]), set()).update(said)
    asked = [
        (one["question"], one["answer"]) in clean[row["reference"], row["candidate"]]
        for row in rows
        for one in row["questions"]
    ]
    assert {row["split"] for row in rows} == {"train", "validation"}
    # Graded verdicts keep theirs, and repeats are right by themselves.
    assert 0.3 < 1 - sum(asked) / len(asked) < 0.5


def test_the_filter_removes_the_errors_and_keeps_what_is_right(rows):
    kept = removed = 0
    by_rule: set[str] = set()
    for row in rows:
        pair = filter_questions(AskedPair.of(row), thresholds(), tuple(RULES))
        kept, removed = kept + len(pair.questions), removed + len(pair.removed)
        by_rule |= set(pair.first_rules())
    assert 0.25 < removed / (kept + removed) < 0.45
    assert by_rule == set(RULES)


def test_pairs_fit_in_the_kitchens_rows(rows):
    tokenizer = Tokenizer(stand_ins.DIRECTORY / "tokenizer.model", "llama2")
    sizes = [
        sum(
            len(tokenizer.encode(one[name]))
            for one in row["questions"]
            for name in one
            if name != "weight"
        )
        for row in rows
    ]
    assert PAIR_TOKENS - 20 < max(sizes) <= PAIR_TOKENS
    assert all(one["answer"] for row in rows for one in row["questions"])
