"""Similarity by shared words."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

_WORD = re.compile(r"[^\W\d_]+")


def words_embedding(texts: Sequence[str]) -> csr_array:
    """Embed texts by the words they contain, weighted by inverse document frequency in `texts`.

    A text without words gets a zero vector, similar to nothing.

    Returns:
        sparse float32 [n, words], as a text has few of all words.
    """
    bags = [sorted(set(_WORD.findall(text.lower()))) for text in texts]
    frequency = Counter(word for bag in bags for word in bag)
    index = {word: number for number, word in enumerate(sorted(frequency))}
    sizes = np.array([len(bag) for bag in bags])
    columns = np.array([index[word] for bag in bags for word in bag], np.int32)
    found = np.array([frequency[word] for bag in bags for word in bag], np.float64)
    weights = np.log((1 + len(texts)) / found)
    rows = np.repeat(np.arange(len(bags)), sizes)
    lengths = np.sqrt(np.bincount(rows, weights**2, minlength=len(bags)))
    values = (weights / lengths[rows]).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return csr_array((values, columns, starts), shape=(len(texts), len(index)))
