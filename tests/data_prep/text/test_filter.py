"""Each rule removes what it is for and keeps what is right; the kitchen's errors are found."""

import json
import re

import pytest

from data_prep.kitchen.faults import (
    FAULTS,
    kitchen_thresholds,
    main,
    random_clips,
    removed_shares,
    spoiled_questions,
)
from data_prep.schema.text import AskedPair
from data_prep.text.filter.asked import Asked, Thresholds
from data_prep.text.filter.registry import RULES, objections
from data_prep.text.filter.stage import filter_questions
from data_prep.text.filter.topics import read_topics
from stepdiff_jax.errors import InputError

FIRST = "chop the onions, a wooden spoon, red onions with salt in a black pan"
SECOND = "chop the onions, a steel whisk, white onions with pepper in a green bowl"
QUESTION = "what is the main difference between these videos"


def fired(answer: str, question: str = QUESTION, **thresholds) -> set[str]:
    asked = Asked(question, answer, FIRST, SECOND)
    return set(objections(asked, Thresholds(**thresholds)))


@pytest.mark.parametrize(
    "answer",
    [
        "The first video uses a wooden spoon, while the second video uses a steel whisk.",
        "In video 1, the person uses a spoon. In video 2, the person uses a whisk.",
        "The person uses a steel whisk instead of a wooden spoon.",
        "The second video uses a whisk instead of a spoon.",
        "The spoon and whisk differ.",
        "Both videos show onions.",
        "The first video does not use a whisk, but the second does.",
        "The pan in the first video is black, whereas the other uses a green bowl.",
    ],
)
def test_right_answers_stay(answer):
    assert not fired(answer)


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("mentions_description", "The description of the first video says spoon, the other whisk."),
        ("not_mentioned", "The first video does not mention a whisk, unlike the second."),
        ("not_mentioned", "It is unclear whether both videos use salt."),
        ("one_video", "The person chops onions."),
        ("found_nowhere", "The first video uses saffron, the second video uses pepper."),
        ("wrong_order", "The first video uses a steel whisk, the second video a wooden spoon."),
        ("wrong_order", "The person uses a wooden spoon instead of a steel whisk."),
        ("wrong_order", "The tools are whisk and spoon."),
        ("contradicts_description", "Both videos use a wooden spoon."),
        ("contradicts_description", "The first video adds pepper, the second video adds pepper."),
        ("contradicts_description", "The first video does not use salt, the second uses pepper."),
        ("length", "spoon"),
        ("length", "The first video uses a spoon and the second video uses a"),
        ("length", "both videos show onions " * 40),
    ],
)
def test_wrong_answers_go(rule, answer):
    assert rule in fired(answer)


def test_a_question_about_one_video_goes_and_a_comparing_one_stays():
    spoon = "a wooden spoon is used"
    assert fired(spoon, "what does the person in the first video use") == {"one_video"}
    assert not fired("yes", "do both videos show onions")
    assert not fired("the second video", "which of the two videos uses a whisk")


def test_a_rating_compares_only_where_a_comparison_is_asked_for():
    rated = "onions 5, tools 2"
    assert "one_video" not in fired(rated, "rate how similar the videos are from 1 to 5")
    assert "one_video" in fired(rated, "how many onions and tools are there")
    assert "one_video" in fired("2 onions are used", "rate how similar the videos are from 1 to 5")


def test_the_earlier_of_two_equal_questions_stays():
    item = {"question": QUESTION, "answer": "a steel whisk instead of a wooden spoon"}
    other = {"question": f"{QUESTION}?".upper(), "answer": item["answer"]}
    pair = AskedPair("a_0_1", "b_0_1", FIRST, SECOND, [item, other])
    result = filter_questions(pair, Thresholds(), tuple(RULES))
    assert result.questions == [item]
    assert set(result.removed[0]["rules"]) == {"duplicate"}
    assert filter_questions(pair, Thresholds(), ["length"]).questions == [item, other]


def test_topics_check_verdicts():
    topics = {"tool": ("spoon", "whisk"), "dish": ("pan", "bowl"), "vegetable": ("onions",)}
    question = "do these two videos show the same {}? Answer YES or NO."
    assert fired("YES", question.format("tool"), topics=topics, known_words=("tool",))
    assert not fired("NO", question.format("tool"), topics=topics, known_words=("tool",))
    known = ("vegetable",)
    assert fired("NO", question.format("vegetable"), topics=topics, known_words=known)
    assert not fired("YES", question.format("vegetable"), topics=topics, known_words=known)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("topics", [True, False])
def test_the_filter_finds_the_kitchens_errors(seed, topics):
    spoiled = list(spoiled_questions(random_clips(150, seed), seed=seed))
    shares = removed_shares(spoiled, kitchen_thresholds(topics=topics))
    assert shares["removed_of_errors"] >= 0.8
    assert shares["removed_of_good"] <= 0.05
    assert all(shares["by_kind"][kind]["of"] >= 20 for kind in FAULTS)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_finds_its_own_kind_alone(rule):
    spoiled = [one for one in spoiled_questions(random_clips(100, 3), seed=3) if one.fault == rule]
    thresholds = kitchen_thresholds(topics=True)
    found = [bool(objections(one.asked, thresholds, [rule])) for one in spoiled]
    assert sum(found) >= 0.8 * len(found) > 0


def test_command_prints_both_shares(capsys, tmp_path):
    main(["--pairs", "64", "--examples", str(tmp_path / "examples.jsonl")])
    shares = json.loads(capsys.readouterr().out)
    assert {"removed_of_errors", "removed_of_good"} <= shares.keys()
    lines = (tmp_path / "examples.jsonl").read_text().splitlines()
    assert len(lines) == shares["good"] + shares["errors"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"tool": "pan"}', "field 'tool' must be a list of words, got 'pan'"),
        ('{"tool": ["pan", 3]}', "field 'tool' must be a list of words, got ['pan', 3]"),
        ('{" ": ["pan"]}', "a topic must have a name, got ' '"),
    ],
)
def test_wrong_topics_are_named(tmp_path, text, message):
    (tmp_path / "topics.json").write_text(text)
    with pytest.raises(InputError, match=re.escape(f"topics.json: {message}")):
        read_topics(tmp_path / "topics.json")
