"""Caption metrics against pycocoevalcap 1.2 (see make_golden_metrics.py), and their properties."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdiff_jax.evaluation.caption_metrics import (
    bleu_1,
    bleu_counts,
    bleu_of_counts,
    caption_metrics,
    cider_d,
    cider_ds,
    rouge_l,
    rouge_ls,
)

GOLDEN = json.loads(
    Path(__file__).with_name("golden_caption_metrics.json").read_text(encoding="utf-8")
)

WORDS = st.sampled_from(["the", "pan", "bowl", "Red", "chili", "cuts", "of", ""])
SENTENCES = st.lists(WORDS, max_size=9).map(" ".join)
INSTANCES = st.lists(
    st.tuples(SENTENCES, st.lists(SENTENCES, min_size=1, max_size=4)), min_size=1, max_size=6
)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_equals_pycocoevalcap(case):
    assert GOLDEN["made_by"] == "pycocoevalcap 1.2"
    metrics = caption_metrics(case["hypotheses"], case["references"])
    # Relative, since without a match BLEU is 1e-15 over the length rather than 0.
    assert metrics == pytest.approx(case["metrics"], rel=1e-12, abs=1e-17)


@given(INSTANCES, st.randoms(use_true_random=False))
def test_order_of_instances_does_not_matter(instances, rng):
    shuffled = rng.sample(instances, len(instances))
    expected = caption_metrics(*zip(*instances))
    assert caption_metrics(*zip(*shuffled)) == pytest.approx(expected, abs=1e-12)


@given(INSTANCES)
def test_ranges(instances):
    hypotheses, references = zip(*instances)
    assert 0 <= bleu_1(hypotheses, references) <= 1
    assert 0 <= cider_d(hypotheses, references) <= 10 + 1e-9
    assert 0 <= rouge_l(hypotheses, references) <= 1 + 1e-9


@given(st.lists(SENTENCES, min_size=2, max_size=6))
def test_identical_single_references_are_perfect(sentences):
    # A word of its own and four words at least, so that every n-gram order carries weight.
    texts = [f"word{index} is here now {text}" for index, text in enumerate(sentences)]
    metrics = caption_metrics(texts, [[text] for text in texts])
    assert metrics == pytest.approx({"BLEU": 1.0, "CIDEr": 10.0, "ROUGE-L": 1.0}, abs=1e-8)


@given(INSTANCES, SENTENCES)
def test_another_reference_never_lowers_rouge(instances, extra):
    hypotheses, references = zip(*instances)
    more = [[*refs, extra] for refs in references]
    assert rouge_l(hypotheses, more) >= rouge_l(hypotheses, references) - 1e-12


def test_cider_of_a_sentence_said_twice():
    # Worked out by hand: 12 bigrams against 25, so a difference of 13; sigma is 6.
    sentence = "a b c d e f g h i j k l m"
    others = ["n o p q", "r s t u"]
    doubled = cider_d([f"{sentence} {sentence}", "", ""], [[sentence], *[[o] for o in others]])
    cosine = sum(_cosine_of_doubled(order) for order in range(1, 5)) / 4
    assert doubled == pytest.approx(10 / 3 * cosine * math.exp(-(13**2) / (2 * 6**2)), rel=1e-9)


def _cosine_of_doubled(order: int) -> float:
    """Cosine, with clipping, of 13 words said twice with said once; all n-grams weigh the same."""
    shared = 13 - order + 1
    across = order - 1  # n-grams that straddle the seam
    return shared / ((4 * shared + across) ** 0.5 * shared**0.5)


@pytest.mark.parametrize("metric", [bleu_1, cider_d, rouge_l, caption_metrics])
@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        (["a"], [["a"], ["b"]], "1 hypotheses for 2"),
        ([], [], "empty corpus"),
        (["a", "b"], [["a"], []], "hypothesis 1"),
        (["a"], ["a"], "non-empty list"),
    ],
)
def test_rejects_what_has_no_score(metric, hypotheses, references, message):
    with pytest.raises(ValueError, match=message):
        metric(hypotheses, references)


@given(st.lists(WORDS, max_size=9), st.lists(WORDS, max_size=9))
def test_rouge_of_one_reference_follows_from_the_longest_common_subsequence(first, second):
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
            )
    if not first or not second:
        return  # "" is one empty token, not none
    precision, recall = table[-1][-1] / len(first), table[-1][-1] / len(second)
    wanted = 0.0
    if precision:
        wanted = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)
    assert rouge_l([" ".join(first)], [[" ".join(second)]]) == pytest.approx(wanted, abs=1e-12)


@given(INSTANCES)
def test_metrics_are_made_of_those_of_the_instances(instances):
    hypotheses, references = zip(*instances)
    counts = bleu_counts(hypotheses, references)
    assert bleu_of_counts(counts.sum(0)) == bleu_1(hypotheses, references)
    assert cider_ds(hypotheses, references).mean() == cider_d(hypotheses, references)
    assert rouge_ls(hypotheses, references).mean() == rouge_l(hypotheses, references)
    assert len(counts) == len(cider_ds(hypotheses, references)) == len(instances)
