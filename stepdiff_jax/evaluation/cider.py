"""CIDEr-D (Vedantam et al. 2015) of many captions at once, as pycocoevalcap 1.2 computes it.

N-grams are numbers and captions are rows of a sparse table, so that a benchmark takes seconds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_NGRAM = 4
SIGMA = 6.0

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Counts(NamedTuple):
    """How often a caption has an n-gram, sorted by caption, then by n-gram: int [M] each."""

    caption: Integers
    ngram: Integers
    times: Integers


def cider_scores(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> NDArray[np.float64]:
    """CIDEr-D of each of N instances, 0 to 10: float [N]. See `caption_metrics.cider_d`.

    Args:
        references: N non-empty lists.
    """
    owner = np.repeat(np.arange(len(references)), [len(refs) for refs in references])
    hypothesis_words, hypothesis_caption, reference_words, reference_caption = _numbered(
        hypotheses, [ref for refs in references for ref in refs]
    )
    instances, captions = len(hypotheses), len(owner)
    similarity = np.zeros(captions)
    penalty = np.ones(captions)
    # Both sides in one row, so that equal n-grams get equal numbers; captions of the references
    # follow those of the hypotheses.
    words = np.concatenate([hypothesis_words, reference_words])
    caption = np.concatenate([hypothesis_caption, instances + reference_caption])
    ngrams = words
    for order in range(1, MAX_NGRAM + 1):
        if order > 1:
            ngrams = _extended(ngrams, words, caption, order)
        starts = ngrams >= 0
        counts = _counts(caption[starts], ngrams[starts])
        similarity += _clipped_cosines(counts, owner, instances)
        if order == 2:  # The reference implementation's lengths are in bigrams.
            lengths = np.bincount(caption[starts], minlength=instances + captions)
            delta = lengths[owner] - lengths[instances:]
            penalty = np.exp(-(delta**2) / (2 * SIGMA**2))
    totals = np.bincount(owner, penalty * similarity, instances)
    return 10 * totals / (MAX_NGRAM * np.bincount(owner, minlength=instances))


def _numbered(
    hypotheses: Sequence[str], references: Sequence[str]
) -> tuple[Integers, Integers, Integers, Integers]:
    """Numbers of all words, and the caption of each, of the hypotheses, then of the references."""
    numbers: dict[str, int] = {}
    found: list[Integers] = []
    for captions in (hypotheses, references):
        split = [caption.split() for caption in captions]
        words = [numbers.setdefault(word, len(numbers)) for one in split for word in one]
        lengths = [len(one) for one in split]
        found += [np.asarray(words, np.int64), np.repeat(np.arange(len(split)), lengths)]
    return found[0], found[1], found[2], found[3]


def _extended(shorter: Integers, words: Integers, caption: Integers, order: int) -> Integers:
    """Numbers of the n-grams of an order that start at each word, -1 if the caption ends first.

    Args:
        shorter: those of the order below.
    """
    last = np.minimum(np.arange(len(words)) + order - 1, len(words) - 1)
    whole = (shorter >= 0) & (caption == caption[last]) & (last - order + 1 == np.arange(len(last)))
    keys = shorter * (words.max(initial=0) + 1) + words[last]
    longer = np.full(len(words), -1)
    longer[whole] = np.unique(keys[whole], return_inverse=True)[1]
    return longer


def _counts(caption: Integers, ngram: Integers) -> _Counts:
    width = ngram.max(initial=0) + 1
    keys, times = np.unique(caption * width + ngram, return_counts=True)
    return _Counts(keys // width, keys % width, times)


def _clipped_cosines(counts: _Counts, owner: Integers, instances: int) -> Floats:
    """Cosine of each reference with its hypothesis, whose weights are clipped to the reference's.

    Args:
        counts: those of the hypotheses (captions below `instances`), then of the references.
        owner: the instance of each reference.
    Returns:
        [references]; 0 where either has no weight.
    """
    caption, ngram, times = counts
    width = ngram.max(initial=0) + 1
    ours = np.flatnonzero(caption < instances)
    theirs = np.flatnonzero(caption >= instances)
    instance = owner[caption[theirs] - instances]
    documents = np.unique(instance * width + ngram[theirs]) % width
    frequency = np.maximum(1, np.bincount(documents, minlength=width))
    weight = times * (np.log(instances) - np.log(frequency))[ngram]
    squares = np.bincount(caption, weight**2, instances + len(owner))
    # The hypothesis' row with the same n-gram, where there is one.
    keys = caption[ours] * width + ngram[ours]
    wanted = instance * width + ngram[theirs]
    place = np.searchsorted(keys, wanted)
    shared = np.append(keys, -1)[place] == wanted
    match, other = weight[ours[place[shared]]], weight[theirs[shared]]
    products = np.minimum(match, other) * other
    dots = np.bincount(caption[theirs[shared]] - instances, products, len(owner))
    norms = np.sqrt(squares[owner]) * np.sqrt(squares[instances:])
    return np.divide(dots, norms, out=np.zeros(len(owner)), where=norms > 0)
