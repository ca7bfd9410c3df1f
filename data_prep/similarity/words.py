"""Similarity by shared words."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

_WORD = re.compile(r"[^\W\d_]+")


def words_embedding(texts: Sequence[str]) -> csr_array:
    """Which words a text has, rare ones weighing more (inverse document frequency within `texts`).

    A text without a word gets a vector of zeros, similar to nothing.

    Returns:
        float32 [n, words], sparse: a text has few of the words of all.
    """
    bags = [sorted(set(_WORD.findall(text.lower()))) for text in texts]
    frequency = Counter(word for bag in bags for word in bag)
    place = {word: number for number, word in enumerate(sorted(frequency))}
    sizes = np.array([len(bag) for bag in bags])
    columns = np.array([place[word] for bag in bags for word in bag], np.int32)
    found = np.array([frequency[word] for bag in bags for word in bag], np.float64)
    weights = np.log((1 + len(texts)) / found)
    rows = np.repeat(np.arange(len(bags)), sizes)
    lengths = np.sqrt(np.bincount(rows, weights**2, minlength=len(bags)))
    values = (weights / lengths[rows]).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return csr_array((values, columns, starts), shape=(len(texts), len(place)))
