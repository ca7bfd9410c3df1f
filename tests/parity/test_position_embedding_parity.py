"""Live: interpolated position embeddings are torch's."""

import numpy as np
import pytest

from stepdiff_jax.weights.position_embedding import interpolate_positions

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


@pytest.mark.parametrize(("old", "new"), [(16, 24), (14, 7), (3, 5), (5, 3), (1, 4), (16, 16)])
def test_interpolation_is_torchs_bicubic_one(old, new):
    embedding = np.random.default_rng(old).normal(size=(1 + old * old, 6)).astype(np.float32)
    grid = torch.from_numpy(embedding[1:].T.reshape(1, 6, old, old).copy())
    wanted = torch.nn.functional.interpolate(
        grid, size=(new, new), mode="bicubic", align_corners=False
    )
    found = np.asarray(interpolate_positions(embedding, new))
    np.testing.assert_allclose(found[1:], wanted.numpy().reshape(6, -1).T, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found[0], embedding[0])
