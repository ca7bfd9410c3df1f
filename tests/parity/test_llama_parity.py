"""Live: our Llama, transformers' Llama and the stored outputs agree."""

import numpy as np
import pytest

from references.llama import CASES, FIXTURES, TOKENS, positions
from references.models import causal_logits, llama

pytestmark = pytest.mark.parity
TOLERANCE = 1e-4


@pytest.mark.parametrize("case", CASES)
def test_live_transformers(case):
    from references import transformers_llama

    theirs = transformers_llama.logits(CASES[case])
    np.testing.assert_allclose(
        np.load(FIXTURES / f"{case}.npz")["logits"],
        theirs,
        rtol=0,
        atol=TOLERANCE,
        err_msg="stored outputs",
    )
    ours = causal_logits(llama(CASES[case]), TOKENS, positions(CASES[case]))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)
