"""Questions and answers are read from every form that language models use."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.text.question.answers import parse_questions
from stepdiff_jax.errors import InputError

PAIRS = [
    ("What tool is used?", "A whisk instead of a spoon."),
    ("Do both use salt?", "Yes, both do."),
    ("How is it cut?", "Finely in the first, roughly in the second."),
]


def lines(form: str) -> str:
    return "\n".join(form.format(n=n, q=q, a=a) for n, (q, a) in enumerate(PAIRS, start=1))


OBJECTS = json.dumps([{"question": q, "answer": a} for q, a in PAIRS])
FORMS = {
    "labels": lines("Q: {q}\nA: {a}\n"),
    "numbered labels": lines("{n}. Q: {q}\n   A: {a}"),
    "labels with numbers": lines("Q{n}: {q}\nA{n}: {a}"),
    "words": lines("Question {n}: {q}\nAnswer {n}: {a}"),
    "bold": lines("**Question {n}:** {q}\n**Answer:** {a}\n"),
    "on one line": lines("Q: {q} A: {a}"),
    "numbered": lines("{n}. {q} {a}"),
    "numbered, answer below": lines("{n}) {q}\n{a}"),
    "numbered, dash": lines("{n}. {q}\n   - {a}"),
    "json": OBJECTS,
    "object": json.dumps({"pairs": [{"Question": q, "Answer": a} for q, a in PAIRS]}),
    "short keys": json.dumps([{"q": q, "a": a} for q, a in PAIRS]),
    "fenced": f"Here:\n```json\n{OBJECTS}\n```",
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    "around", ["{}", "The videos differ in the tool.\n\n{}\n\nI hope it helps!"]
)
def test_forms(name, around):
    if name.startswith("numbered") and name != "numbered labels" and "helps" in around:
        around = around.removesuffix("\n\nI hope it helps!")
    assert parse_questions(around.format(FORMS[name]), 3) == PAIRS


@pytest.mark.parametrize(
    "text",
    ["", "I cannot help with that.", "Q: what?\nA: salt", "[1, 2", '[{"question": 3}]', "{" * 5000],
)
def test_what_is_no_answer_is_an_error(text):
    with pytest.raises(InputError):
        parse_questions(text, 3)


def test_an_empty_answer_is_an_error_that_names_it():
    with pytest.raises(InputError, match="pair 2 has an empty answer"):
        parse_questions("Q: a?\nA: b\nQ: c?\nA:\nQ: d?\nA: e", 3)


@given(st.text(max_size=200))
def test_any_text_gives_three_full_pairs_or_an_error(text):
    try:
        pairs = parse_questions(text, 3)
    except InputError:
        return
    assert len(pairs) == 3
    assert all(question and answer for question, answer in pairs)
