"""The mask of the packed layout is its definition in words."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdiff_jax.layout import PackedRows, attention_mask

LENGTH = 8  # one shape, one program
cells = st.tuples(st.integers(0, 4), st.integers(0, 4))


@settings(deadline=None)
@given(st.lists(cells, min_size=LENGTH, max_size=LENGTH))
def test_mask_is_own_segment_and_parent_so_far(row):
    segment, parent = (np.array([column], np.int32) for column in zip(*row))
    layout = PackedRows(segment, segment, segment, segment, parent, segment)
    mask = np.asarray(attention_mask(layout, layout))[0]
    for query, (own, above) in enumerate(row):
        for key, (theirs, _) in enumerate(row):
            sees = key <= query and theirs != 0 and theirs in (own, above)
            assert mask[query, key] == sees
