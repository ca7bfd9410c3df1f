"""From decoded frames to the encoder's input, bit-identical to InternVideo's demo.

Uniformly spaced frames, short side to 256 (PIL's antialiased bilinear filter), centre crop, CLIP's
mean and standard deviation.
"""

from typing import TypeVar

import jax
import numpy as np
from PIL import Image

from stepdiff_jax.errors import InputError

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)

Array = TypeVar("Array", np.ndarray, jax.Array)


def uniform_indices(num_frames: int, frames: int = 8) -> np.ndarray:
    """Indices ``int [frames]`` spread evenly over a clip, first and last included, rounded down.

    Indices repeat if the clip is shorter than ``frames``. Raises InputError if it is empty.
    """
    if num_frames < 1:
        raise InputError(f"cannot take {frames} frames from a clip of {num_frames}")
    return np.linspace(0, num_frames - 1, frames).astype(int)


def resize_and_crop(frames: np.ndarray, resize: int = 256, crop: int = 224) -> np.ndarray:
    """RGB uint8 ``[T, H, W, 3] -> [T, crop, crop, 3]``: short side to ``resize``, then the centre.

    Raises InputError for another shape or dtype, or if the crop exceeds the resized frame.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8:
        raise InputError(
            f"frames must be uint8 [T, H, W, 3], not {frames.dtype} {list(frames.shape)}"
        )
    if crop > resize:
        raise InputError(f"crop {crop} is larger than the resized short side {resize}")
    height, width = frames.shape[1:3]
    if width < height:
        size = resize, int(resize * height / width)
    else:
        size = int(resize * width / height), resize
    # Python's round, which rounds halves to even, is part of the definition.
    left, top = (round((side - crop) / 2) for side in size)
    box = (left, top, left + crop, top + crop)
    out = np.empty((len(frames), crop, crop, 3), np.uint8)
    for i, frame in enumerate(frames):
        # PIL returns a plain copy if the size already matches, as the original does.
        resized = Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR)
        out[i] = np.asarray(resized.crop(box))
    return out


def normalize(frames: Array) -> Array:
    """uint8 ``[..., 3] -> float32 [..., 3]`` with CLIP's mean and deviation per channel.

    Works on numpy arrays, bit-exactly, and on JAX arrays inside jit, where XLA may round the last
    bit differently.
    """
    return (frames.astype(np.float32) / np.float32(255) - MEAN) / STD
