"""The interface of similarities."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array

Vectors: TypeAlias = np.ndarray | csr_array
"""float32 [n, width]; rows have length 1, or 0 for a text that is similar to nothing."""

Embed = Callable[[Sequence[str]], Vectors]
"""Maps n texts to their vectors."""


def cosines(vectors: Vectors, others: Vectors) -> np.ndarray:
    """Cosine of each row of `vectors` with each of `others`: float32 [n, m]."""
    products = vectors @ others.T
    return products.toarray() if isinstance(products, csr_array) else np.asarray(products)
