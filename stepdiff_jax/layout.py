"""The packed layout shared by training, scoring and generation.

A row holds one or several conversations. Each conversation is a prefix segment and any number of
branch segments whose parent is the prefix. A query sees a key if the key comes no later and is in
the query's own segment or in that segment's parent; so branches share one prefix and cannot see
each other. The layout is ours.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

Array = jax.Array | np.ndarray


class PackedRows(NamedTuple):
    """Packed rows of fixed length L; leading axes are free, usually [rows].

    tokens: int32 [..., L], 0 for visual slots and padding.
    visual_slot: int32 [..., L], index into the row's [videos x latents] embeddings, -1 for text.
    positions: int32 [..., L], rotary positions; a branch continues where its parent ends.
    segment: int32 [..., L], 1, 2, ...; 0 is padding.
    parent: int32 [..., L], the segment that this one continues, 0 for none.
    loss_mask: float32 [..., L], weight of predicting the token at this index.
    """

    tokens: Any
    visual_slot: Any
    positions: Any
    segment: Any
    parent: Any
    loss_mask: Any


def attention_mask(query: PackedRows, key: PackedRows) -> jax.Array:
    """Which keys each query sees, by order in the row and by segment.

    Both are the same rows, whose order is given by index; use `segments_visible` if the queries
    follow all keys.

    Returns:
        bool [..., queries, keys].
    """
    length = key.segment.shape[-1]
    causal = np.tril(np.ones((length, length), bool))
    return segments_visible(query.segment, query.parent, key.segment) & causal


def tree_visible(segment: Array, above: Array) -> jax.Array:
    """Which keys of the same row each query sees, in rows of trees of any depth.

    Args:
        segment: int [..., L], 0 for padding; above: int [..., L, D], the segments above it.
    Returns:
        bool [..., queries, keys]: no later key of its own segment or of one above it.
    """
    length = segment.shape[-1]
    key = segment[..., None, :]
    visible = segment[..., :, None] == key
    for depth in range(above.shape[-1]):
        visible |= above[..., depth][..., :, None] == key
    causal = np.tril(np.ones((length, length), bool))
    return visible & (key != 0) & causal


def segments_visible(segment: Array, parent: Array, key_segment: Array) -> jax.Array:
    """bool [..., queries, keys]: same segment, or the key's segment is the query's parent."""
    key = key_segment[..., None, :]
    own = segment[..., :, None] == key
    inherited = parent[..., :, None] == key
    return (own | inherited) & (key != 0)
