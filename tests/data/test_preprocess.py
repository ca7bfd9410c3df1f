"""Preprocessing against InternVideo's own, bit for bit."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from references.internvideo import outputs
from stepdiff_jax.data.preprocess import normalize, resize_and_crop, uniform_indices
from stepdiff_jax.errors import InputError


@pytest.mark.parametrize("k", range(5))
def test_equals_the_original(k):
    reference = outputs("prep_small")
    resize, crop = reference[f"scale_crop_{k}"]
    frames = resize_and_crop(reference[f"in_{k}"], int(resize), int(crop))
    theirs = reference[f"out_{k}"].transpose(1, 2, 3, 0)
    np.testing.assert_array_equal(normalize(frames), theirs)
    np.testing.assert_allclose(jax.jit(normalize)(frames), theirs, atol=1e-6)


def test_defaults_are_the_encoders():
    frames = np.zeros((2, 48, 64, 3), np.uint8)
    assert resize_and_crop(frames).shape == (2, 224, 224, 3)


def test_centre_is_rounded_to_even():
    """An odd margin of 5 starts at 2, one of 7 at 4."""
    row = np.arange(11, dtype=np.uint8)
    frames = np.broadcast_to(row[None, None, :, None], (1, 6, 11, 3))
    assert resize_and_crop(frames, 6, 6)[0, 0, 0, 0] == 2
    frames = np.broadcast_to(np.arange(13, dtype=np.uint8)[None, None, :, None], (1, 6, 13, 3))
    assert resize_and_crop(frames, 6, 6)[0, 0, 0, 0] == 4


@settings(deadline=None)
@given(st.integers(1, 5000), st.integers(2, 16))
def test_uniform_indices(num_frames, frames):
    indices = uniform_indices(num_frames, frames)
    assert len(indices) == frames
    assert indices[0] == 0
    assert indices[-1] == num_frames - 1
    assert (np.diff(indices) >= 0).all()


def test_uniform_indices_round_down():
    np.testing.assert_array_equal(uniform_indices(20), [0, 2, 5, 8, 10, 13, 16, 19])


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((2, 8, 8, 3), np.float32), "float32"),
        (np.zeros((2, 8, 8), np.uint8), r"\[2, 8, 8\]"),
    ],
)
def test_frames_of_another_kind(frames, message):
    with pytest.raises(InputError, match=message):
        resize_and_crop(frames)


def test_impossible_requests():
    with pytest.raises(InputError, match="clip of 0"):
        uniform_indices(0)
    with pytest.raises(InputError, match="crop 9 is larger"):
        resize_and_crop(np.zeros((1, 8, 8, 3), np.uint8), 8, 9)
