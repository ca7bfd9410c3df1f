"""Our Llama against what transformers gave for the same weights (see `references.llama`)."""

import numpy as np
import pytest

from references.llama import CASES, FIXTURES, TOKENS, positions
from references.models import causal_logits, llama

TOLERANCE = 1e-4


@pytest.mark.parametrize("case", CASES)
def test_logits_equal_transformers(case):
    ours = causal_logits(llama(CASES[case]), TOKENS, positions(CASES[case]))
    theirs = np.load(FIXTURES / f"{case}.npz")["logits"]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)
