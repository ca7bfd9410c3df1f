"""The string rules for captions, and the counts of degenerate answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdiff_jax.evaluation.post_process import degenerate, post_process
from stepdiff_jax.evaluation.system import Written


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("The onion is red.", "The onion is red."),
        ("  The onion\n is   red. ", "The onion is red."),
        ('"The onion is red."', "The onion is red."),
        ("“The onion is red.”", "The onion is red."),
        ('The "red" one', 'The "red" one'),
        ('"A" and "B"', '"A" and "B"'),
        ("Answer: The onion is red.", "The onion is red."),
        ("ASSISTANT: red", "red"),
        ("The onion is red. USER: What else?", "The onion is red."),
        ("It is red.</s>It", "It is red."),
        ("It is red. It is cut. It is red. It is red.", "It is red. It is cut."),
        ("It weighs 1.5 kg. It is red", "It weighs 1.5 kg. It is red"),
        ("", ""),
        ("USER: no answer", ""),
    ],
)
def test_rules(text, caption):
    assert post_process(Written(text)) == caption


def test_of_an_answer_that_was_cut_whole_sentences_are_kept():
    assert post_process(Written("It is red. It is", cut=True)) == "It is red."
    assert post_process(Written("It is red. It is cut.", cut=True)) == "It is red. It is cut."
    assert post_process(Written("It is red and", cut=True)) == "It is red and"


@given(st.text(max_size=60), st.booleans())
def test_a_processed_caption_is_one_line_and_adds_nothing(text, cut):
    caption = post_process(Written(text, cut=cut))
    assert caption == " ".join(caption.split())
    assert len(caption) <= len(text)
    assert set(caption) <= {*text, " "}


def test_degenerate_answers_are_counted_as_they_were_written():
    loop = "the red onion is " * 3
    written = [
        Written(""),
        Written(" \n"),
        Written(loop, cut=True),
        Written("It is red.", cut=True),
        Written("It is red. It is red."),
    ]
    assert degenerate(written) == {"empty": 2, "repeated": 1, "cut": 2}
