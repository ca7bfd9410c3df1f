"""The sizes of a batch of inference."""

from dataclasses import dataclass

from stepdiff_jax.bounds import Devices, Rows, RowVideos, Tokens


@dataclass(frozen=True)
class BatchShape:
    """What one run of a compiled part of inference does; rows and clips are raised to multiples of
    the devices that they are spread over."""

    rows: Rows = 16
    """Rows that are scored at once, or that generate."""
    row_tokens: Tokens = 512
    """Tokens of a row, without those that are generated."""
    videos: RowVideos = 8
    """Videos of a row."""
    answers: Tokens = 128
    """Tokens of answers of a row that is scored."""
    branches: Rows = 4
    """Answers that a row generates."""
    new_tokens: Tokens = 64
    """Tokens of each of them."""
    inserted: Rows = 4
    """Rows that are read at once when others are finished (prefill)."""
    clips: Rows = 32
    """Clips that are encoded at once."""
    tensor: Devices = -1
    """Devices that share the language model; -1 for the fewest that hold it."""
