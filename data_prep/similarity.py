"""How similar step descriptions are: vectors whose products are cosines. All of it is ours.

The paper pairs clips with similar descriptions and does not say how it measured that.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from stepdiff_jax.inference.encode import encode_texts, unit_length
from stepdiff_jax.models.internvideo import InternVideo

Embed = Callable[[Sequence[str]], np.ndarray]
"""From n texts to float32 [n, width], each row of length 1."""

_WORD = re.compile(r"[^\W\d_]+")


def words_embedding(texts: Sequence[str]) -> np.ndarray:
    """Which words a text has, rare ones weighing more (inverse document frequency within `texts`).

    A text without a word gets a vector of zeros, similar to nothing.
    """
    bags = [set(_WORD.findall(text.lower())) for text in texts]
    frequency = Counter(word for bag in bags for word in bag)
    place = {word: number for number, word in enumerate(sorted(frequency))}
    vectors = np.zeros((len(texts), len(place)), np.float32)
    for row, bag in zip(vectors, bags):
        for word in bag:
            row[place[word]] = np.log((1 + len(texts)) / frequency[word])
    return unit_length(vectors)


def internvideo_embedding(
    encoder: InternVideo, tokenize: Callable[[Sequence[str]], np.ndarray]
) -> Embed:
    """By the text tower of InternVideo.

    Args:
        tokenize: from texts to ids int32 [n, context].
    """
    return lambda texts: unit_length(np.asarray(encode_texts(encoder, tokenize(texts)), np.float32))
