"""Stored JPEG frames as the encoder takes them."""

import io

import numpy as np
import pytest
from PIL import Image

from stepdiff_jax.config import EncoderConfig
from stepdiff_jax.data.records import ClipRecord
from stepdiff_jax.data.visual import ClipFrames, encoder_frames, gather_visuals
from stepdiff_jax.errors import InputError

ENCODER = EncoderConfig(frames=2, image_size=8, resized_side=16)


def jpeg(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def record(*frames: bytes) -> ClipRecord:
    return ClipRecord("v_0_1", "chop", "soup", "", frames, np.zeros(len(frames), np.float32))


def test_frames_are_resized_to_the_resized_side_before_the_crop():
    """Of a bright square on black, 16 of 32 pixels wide, the crop shows nothing but the square."""
    image = np.zeros((32, 64, 3), np.uint8)
    image[8:24, 24:40] = 250
    frames = encoder_frames(record(jpeg(image), jpeg(np.zeros_like(image))), ENCODER)
    assert frames.shape == (2, 8, 8, 3)
    assert frames.dtype == np.uint8
    assert frames[0, 1:-1, 1:-1].min() > 240
    assert frames[1].max() < 10


def test_gathering_leaves_zeros_where_there_is_no_clip():
    images = [np.full((16, 16, 3), value, np.uint8) for value in (50, 100, 150)]
    clips = ClipFrames([record(*[jpeg(image)] * 2) for image in images], ENCODER)
    visual = gather_visuals(clips, np.array([[2, -1], [0, 2]], np.int32))
    assert visual.shape == (2, 2, 2, 8, 8, 3)
    levels = visual.mean((2, 3, 4, 5))
    np.testing.assert_allclose(levels, [[150, 0], [50, 150]], atol=2)


def test_other_contents_are_input_errors():
    image = jpeg(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(InputError, match=r"'v_0_1' has 3 frames, encoder\.frames is 2"):
        encoder_frames(record(image, image, image), ENCODER)
    with pytest.raises(InputError, match="is not an image"):
        encoder_frames(record(image, b"no image"), ENCODER)
