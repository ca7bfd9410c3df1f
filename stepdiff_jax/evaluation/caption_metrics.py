"""The COCO-caption metrics of DiffCap (paper, section 4): BLEU-1, CIDEr-D and ROUGE-L.

They are those of pycocoevalcap 1.2 called on **raw strings**, as in the authors' evaluation script:
no PTB tokenizer and no lower-casing, which would change the numbers. BLEU and CIDEr split on any
white space, ROUGE-L on single spaces, so double spaces produce empty tokens and an empty
hypothesis has length 1.

All functions take N hypotheses and N non-empty lists of references, with N >= 1, and raise
`ValueError` otherwise.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

_MAX_NGRAM = 4
_CIDER_SIGMA = 6.0
_ROUGE_BETA = 1.2
# Constants that pycocoevalcap adds to avoid division by zero; they are part of the score.
_TINY, _SMALL = 1e-15, 1e-9

Ngram = tuple[str, ...]
_TfIdf = list[dict[Ngram, float]]  # one dictionary per order, 1 to 4


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
    _check(hypotheses, references)
    matched = hypothesis_length = reference_length = 0
    for hypothesis, refs in zip(hypotheses, references):
        words = hypothesis.split()
        tokenized = [ref.split() for ref in refs]
        most: Counter[str] = Counter()
        for tokens in tokenized:
            most |= Counter(tokens)
        matched += (Counter(words) & most).total()
        hypothesis_length += len(words)
        lengths = map(len, tokenized)
        reference_length += min(lengths, key=lambda n: (abs(n - len(words)), n))
    precision = (matched + _TINY) / (hypothesis_length + _SMALL)
    ratio = (hypothesis_length + _TINY) / (reference_length + _SMALL)
    return precision * math.exp(min(0.0, 1 - 1 / ratio))


def cider_d(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """CIDEr-D (Vedantam et al. 2015), 0 to 10: n-gram orders 1 to 4, sigma 6.

    Document frequencies are counted over `references` themselves, so the score of one instance
    depends on the others, and a corpus of one instance scores 0. As in the reference
    implementation, length is the number of **bigrams**; the penalty uses the difference, which is
    that in words.
    """
    _check(hypotheses, references)
    counted = [[_ngrams(ref) for ref in refs] for refs in references]
    document_frequency = Counter(ngram for refs in counted for ngram in set().union(*refs))
    log_documents = math.log(len(references))

    def tf_idf(counts: Counter[Ngram]) -> _TfIdf:
        vectors: _TfIdf = [{} for _ in range(_MAX_NGRAM)]
        for ngram, count in counts.items():
            idf = log_documents - math.log(max(1, document_frequency[ngram]))
            vectors[len(ngram) - 1][ngram] = count * idf
        return vectors

    scores = []
    for hypothesis, refs in zip(hypotheses, counted):
        counts = _ngrams(hypothesis)
        vectors, bigrams = tf_idf(counts), _num_bigrams(counts)
        total = 0.0
        for ref in refs:
            delta = bigrams - _num_bigrams(ref)
            penalty = math.exp(-(delta**2) / (2 * _CIDER_SIGMA**2))
            total += penalty * _clipped_cosines(vectors, tf_idf(ref))
        scores.append(10 * total / (_MAX_NGRAM * len(refs)))
    return float(np.mean(scores))


def rouge_l(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """ROUGE-L (Lin 2004), beta 1.2, of the best precision and the best recall; mean over N."""
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
    return float(np.mean(scores))


def _check(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} lists of references")
    if not hypotheses:
        raise ValueError("no hypotheses: the metrics of an empty corpus are undefined")
    for index, refs in enumerate(references):
        if isinstance(refs, str) or not refs:
            raise ValueError(f"references of hypothesis {index} must be a non-empty list: {refs!r}")


def _ngrams(sentence: str) -> Counter[Ngram]:
    words = sentence.split()
    return Counter(
        tuple(words[start : start + order])
        for order in range(1, _MAX_NGRAM + 1)
        for start in range(len(words) - order + 1)
    )


def _num_bigrams(counts: Counter[Ngram]) -> int:
    return sum(count for ngram, count in counts.items() if len(ngram) == 2)


def _clipped_cosines(hypothesis: _TfIdf, reference: _TfIdf) -> float:
    """Cosines with the hypothesis' weights clipped to the reference's, summed over the orders."""
    total = 0.0
    for ours, theirs in zip(hypothesis, reference):
        norms = _norm(ours.values()) * _norm(theirs.values())
        if norms:
            products = (min(ours[key], theirs[key]) * theirs[key] for key in ours if key in theirs)
            total += sum(products) / norms
    return total


def _norm(values: Iterable[float]) -> float:
    return math.sqrt(sum(value * value for value in values))


def _longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    row = [0] * (len(second) + 1)
    for token in first:
        diagonal = 0
        for column, other in enumerate(second, start=1):
            above = row[column]
            row[column] = diagonal + 1 if token == other else max(above, row[column - 1])
            diagonal = above
    return row[-1]
