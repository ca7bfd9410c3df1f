"""The COCO-caption metrics of DiffCap (paper, section 4): BLEU-1, CIDEr-D and ROUGE-L.

They are those of pycocoevalcap 1.2 called on **raw strings**, as in the authors' evaluation script:
no PTB tokenizer and no lower-casing, which would change the numbers. BLEU and CIDEr split on any
white space, ROUGE-L on single spaces, so double spaces produce empty tokens and an empty
hypothesis has length 1.

Functions of `hypotheses` and `references` take N hypotheses and N non-empty lists of references,
with N >= 1, and raise `ValueError` otherwise. Those in the plural return a value per instance.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stepdiff_jax.evaluation.cider import cider_scores

_ROUGE_BETA = 1.2
# Constants that pycocoevalcap adds to avoid division by zero; they are part of the score.
_TINY, _SMALL = 1e-15, 1e-9


def caption_metrics(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """All three metrics by their names in the official report: `BLEU`, `CIDEr`, `ROUGE-L`."""
    return {
        "BLEU": bleu_1(hypotheses, references),
        "CIDEr": cider_d(hypotheses, references),
        "ROUGE-L": rouge_l(hypotheses, references),
    }


def bleu_1(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Corpus BLEU-1 (Papineni et al. 2002), with a brevity penalty by the closest reference length.

    If two references are equally close in length, the shorter one counts.
    """
    return float(bleu_of_counts(bleu_counts(hypotheses, references).sum(axis=0)))


def bleu_counts(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> NDArray[np.int64]:
    """What each instance adds to BLEU-1: int [N, 3].

    The columns: words that match, words of the hypothesis, words of the closest reference.
    """
    _check(hypotheses, references)
    counts = np.zeros((len(hypotheses), 3), np.int64)
    for row, hypothesis, refs in zip(counts, hypotheses, references):
        words = hypothesis.split()
        tokenized = [ref.split() for ref in refs]
        most: Counter[str] = Counter()
        for tokens in tokenized:
            most |= Counter(tokens)
        matched = (Counter(words) & most).total()
        lengths = map(len, tokenized)
        closest = min(lengths, key=lambda n: (abs(n - len(words)), n))
        row[:] = matched, len(words), closest
    return counts


def bleu_of_counts(counts: ArrayLike) -> NDArray[np.float64]:
    """BLEU-1 [...] of corpora whose instances' `bleu_counts` add up to `counts` [..., 3]."""
    matched, hypothesis_length, reference_length = np.moveaxis(np.asarray(counts, float), -1, 0)
    precision = (matched + _TINY) / (hypothesis_length + _SMALL)
    ratio = (hypothesis_length + _TINY) / (reference_length + _SMALL)
    return precision * np.exp(np.minimum(0.0, 1 - 1 / ratio))


def cider_d(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """CIDEr-D (Vedantam et al. 2015), 0 to 10: n-gram orders 1 to 4, sigma 6.

    Document frequencies are counted over `references` themselves, so the score of one instance
    depends on the others, and a corpus of one instance scores 0. As in the reference
    implementation, length is the number of **bigrams**; the penalty uses the difference, which is
    that in words.
    """
    return float(np.mean(cider_ds(hypotheses, references)))


def cider_ds(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """CIDEr-D of each instance: float [N]."""
    _check(hypotheses, references)
    return cider_scores(hypotheses, references)


def rouge_l(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """ROUGE-L (Lin 2004), beta 1.2, of the best precision and the best recall; mean over N."""
    return float(np.mean(rouge_ls(hypotheses, references)))


def rouge_ls(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """ROUGE-L of each instance: float [N]."""
    _check(hypotheses, references)
    scores = []
    for hypothesis, refs in zip(hypotheses, references):
        tokens = hypothesis.split(" ")
        tokenized = [ref.split(" ") for ref in refs]
        common = [_longest_common_subsequence(tokens, ref) for ref in tokenized]
        precision = max(common) / len(tokens)
        recall = max(n / len(ref) for n, ref in zip(common, tokenized))
        weighted = recall + _ROUGE_BETA**2 * precision
        scores.append((1 + _ROUGE_BETA**2) * precision * recall / weighted if weighted else 0.0)
    return np.asarray(scores)


def _check(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} lists of references")
    if not hypotheses:
        raise ValueError("no hypotheses: the metrics of an empty corpus are undefined")
    for index, refs in enumerate(references):
        if isinstance(refs, str) or not refs:
            raise ValueError(f"references of hypothesis {index} must be a non-empty list: {refs!r}")


def _longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Its length, a row of the usual table at a time as the bits of an integer (Hyyro 2004)."""
    places: dict[str, int] = {}
    for index, token in enumerate(second):
        places[token] = places.get(token, 0) | 1 << index
    every = (1 << len(second)) - 1
    row = every  # a zero is where the table's row rises by one
    for token in first:
        common = row & places.get(token, 0)
        row = (row + common | row - common) & every
    return len(second) - row.bit_count()
