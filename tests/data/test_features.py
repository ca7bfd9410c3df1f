"""The feature cache comes back as it was written, and never half."""

import json

import numpy as np
import pytest

from stepdiff_jax.data.features import FeatureCache, write_features
from stepdiff_jax.errors import InputError

IDS = ("a_0_1", "b_0_1", "c_0_1")
FEATURES = np.arange(3 * 4 * 2, dtype=np.float32).reshape(3, 4, 2) / 7


def write(directory, arrays=FEATURES, ids=IDS, fingerprint="f1"):
    return write_features(directory, "train", ids, iter(arrays), fingerprint)


def test_features_come_back_as_float16_by_clip(tmp_path):
    write(tmp_path)
    cache = FeatureCache.open(tmp_path, "train")
    assert len(cache) == 3
    assert cache.shape == (4, 2)
    assert cache.dtype == np.float16
    assert (cache.clip_ids, cache.fingerprint) == (IDS, "f1")
    np.testing.assert_array_equal(cache[1], FEATURES[1].astype(np.float16))
    assert isinstance(cache.features, np.memmap)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (FEATURES[:2], "features of 2 clips for 3 clip ids"),
        (FEATURES[:0], "features of 0 clips for 3 clip ids"),
        ([*FEATURES, FEATURES[0]], "features of more than 3 clips for 3 clip ids"),
        (
            [FEATURES[0], FEATURES[1, :2], FEATURES[2]],
            "clip 'b_0_1' are .2, 2., those of the first",
        ),
        ([FEATURES[0], FEATURES[1] + 1e5, FEATURES[2]], "clip 'b_0_1' are not finite in float16"),
        ([FEATURES[0], FEATURES[1] * np.nan, FEATURES[2]], "clip 'b_0_1' are not finite"),
    ],
)
def test_a_failed_write_leaves_the_old_cache_and_no_other_file(tmp_path, arrays, message):
    write(tmp_path)
    with pytest.raises(InputError, match=message):
        write(tmp_path, arrays=arrays, fingerprint="f2")
    assert FeatureCache.open(tmp_path, "train").fingerprint == "f1"
    names = sorted(path.name for path in (tmp_path / "features").iterdir())
    assert names == ["train.json", "train.npy"]


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"train\.json: no features here"):
        FeatureCache.open(tmp_path, "train")
    path = write(tmp_path)
    header = path.with_suffix(".json")
    fields = json.loads(header.read_text())
    for changed in ({"clip_ids": ["a_0_1"]}, {"shape": [3, 4, 3]}):
        header.write_text(json.dumps({**fields, **changed}))
        with pytest.raises(InputError, match=r"train\.npy: shape .3, 4, 2., its header has"):
            FeatureCache.open(tmp_path, "train")
    header.write_text("{}")
    with pytest.raises(InputError, match="not readable as features"):
        FeatureCache.open(tmp_path, "train")
