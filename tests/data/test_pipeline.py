"""Batches are a pure function of (seed, step), however many shards share them."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from data_prep.kitchen.stand_ins import DIRECTORY as STAND_INS
from stepdiff_jax.config import DataConfig, EncoderConfig, Source
from stepdiff_jax.data.features import write_features
from stepdiff_jax.data.lengths import record_example, record_lengths
from stepdiff_jax.data.packing import RowShape
from stepdiff_jax.data.pipeline import Batch, mixed_rows, open_visual, training_batches
from stepdiff_jax.data.records import clip_ids, open_records
from stepdiff_jax.data.row_stream import EpochPlans
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.data.visual import encoder_frames
from stepdiff_jax.errors import InputError

LATENTS = 3
ROWS, VIDEOS = 4, 4
ENCODER = EncoderConfig(image_size=24, resized_side=28, patch_size=12, width=8)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(STAND_INS / "tokenizer.model")


@pytest.fixture
def config(packed):
    return DataConfig(
        directory=str(packed),
        mixture=(Source("pairs", 2.0), Source("sequences", 1.0), Source("single", 1.0)),
        row_length=320,
        row_videos=VIDEOS,
        row_answers=96,
        batch_rows=ROWS,
        prefetch_threads=2,
    )


def batches(config, tokenizer, *, seed=0, shard=0, shards=1, start=0, count=3) -> list[Batch]:
    iterator = iter(
        training_batches(config, tokenizer, ENCODER, LATENTS, seed=seed, shard=shard, shards=shards)
    )
    if start:
        iterator.set_state(_state_at(config, tokenizer, start))
    return list(itertools.islice(iterator, count))


def _state_at(config, tokenizer, step):
    """The state of a single shard's iterator after `step` batches."""
    iterator = iter(training_batches(config, tokenizer, ENCODER, LATENTS, seed=0))
    for _ in range(step):
        next(iterator)
    return iterator.get_state()


def assert_equal(left: Batch, right: Batch) -> None:
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def joined(parts: list[Batch]) -> Batch:
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


@pytest.mark.parametrize("shards", [2, 4])
def test_shards_put_together_are_the_global_batch(config, tokenizer, shards):
    whole = batches(config, tokenizer)
    parts = [batches(config, tokenizer, shard=h, shards=shards) for h in range(shards)]
    for step, batch in enumerate(whole):
        assert len(parts[0][step].clips) == ROWS // shards
        assert_equal(batch, joined([part[step] for part in parts]))


@pytest.mark.parametrize("shards", [1, 2])
def test_a_saved_state_goes_on_with_the_same_batches_on_any_number_of_shards(
    config, tokenizer, shards
):
    whole = batches(config, tokenizer, count=5)
    parts = [
        batches(config, tokenizer, shard=h, shards=shards, start=3, count=2) for h in range(shards)
    ]
    for step, batch in enumerate(whole[3:]):
        assert_equal(batch, joined([part[step] for part in parts]))


def test_the_number_of_threads_changes_nothing_and_the_seed_does(config, tokenizer):
    first = batches(config, tokenizer, count=2)
    for threads in (0, 4):
        again = dataclasses.replace(config, prefetch_threads=threads)
        for left, right in zip(first, batches(again, tokenizer, count=2)):
            assert_equal(left, right)
    other = batches(config, tokenizer, seed=1, count=1)[0]
    assert not np.array_equal(first[0].rows.tokens, other.rows.tokens)


def test_a_batch_shows_the_frames_of_its_clips(config, packed, tokenizer):
    records = open_records(packed, "clips", "train")
    batch = batches(config, tokenizer, count=1)[0]
    assert batch.visual.shape == (ROWS, VIDEOS, 8, 24, 24, 3)
    assert batch.visual.dtype == np.uint8
    assert (batch.clips >= 0).any()
    for clip, frames in zip(batch.clips.ravel(), batch.visual.reshape(-1, 8, 24, 24, 3)):
        if clip < 0:
            assert not frames.any()
        else:
            np.testing.assert_array_equal(frames, encoder_frames(records[int(clip)], ENCODER))


def test_rows_hold_whole_records_with_their_own_clips(config, packed, tokenizer):
    """Each segment tree of a row is one record's, found again by its clips and tokens."""
    known = {}
    for kind in ("pairs", "sequences", "single"):
        for record in open_records(packed, kind, "train"):
            example = record_example(record, tokenizer, LATENTS)
            known[example.clips, example.rows.tokens.tobytes()] = example
    batch = batches(config, tokenizer, count=1)[0]
    for row, clips in enumerate(batch.clips):
        columns = [column[row] for column in batch.rows]
        tokens, slots, _, segment, parent, _ = columns
        starts = np.flatnonzero((tokens == tokenizer.bos) & (parent == 0) & (segment > 0))
        for start, stop in itertools.pairwise([*starts, np.count_nonzero(segment)]):
            places = slots[start:stop]
            shown = [int(clips[slot // LATENTS]) for slot in places[places >= 0][::LATENTS]]
            example = known[tuple(shown), tokens[start:stop].tobytes()]
            np.testing.assert_array_equal(columns[5][start:stop], example.rows.loss_mask)
            np.testing.assert_array_equal(columns[2][start:stop], example.rows.positions)


def test_the_mixture_holds_its_weights(config, tokenizer):
    rows = mixed_rows(config, tokenizer, LATENTS, seed=0)
    kinds = {"pairs": 0, "sequences": 0, "single": 0}
    for number in range(40):
        packed_row, clips = rows[number]
        videos = int((clips >= 0).sum())
        prefixes = len(np.unique(packed_row.segment[packed_row.parent == 0])) - (
            0 in packed_row.segment
        )
        kinds[{2: "pairs", 3: "sequences", 1: "single"}[videos // prefixes]] += 1
    assert kinds == {"pairs": 20, "sequences": 10, "single": 10}


def test_every_epoch_holds_every_record_once_in_another_order(config, packed, tokenizer):
    records = open_records(packed, "pairs", "train")
    lengths = record_lengths(packed, "pairs", "train", records, tokenizer, LATENTS)
    plans = EpochPlans(lengths, RowShape(320, VIDEOS, 96), (0, 1))
    epochs: dict[int, list[list[int]]] = {}
    row = 0
    while len(epochs) < 4:
        epochs.setdefault(plans.locate(row)[0], []).append(plans.records(row))
        row += 1
    orders = [[record for group in epochs[epoch] for record in group] for epoch in range(3)]
    for order in orders:
        assert sorted(order) == list(range(132))
    assert orders[0] != orders[1] != orders[2] != orders[0]
    # Reading anywhere first, as a resumed job does, gives the same rows.
    again = EpochPlans(lengths, RowShape(320, VIDEOS, 96), (0, 1))
    assert again.records(row - 1) == plans.records(row - 1)
    assert again.records(0) == epochs[0][0]


def test_lengths_are_kept_and_found_again_only_for_the_same_tokens(packed, tokenizer, tmp_path):
    (tmp_path / "stepdiff_pairs").symlink_to(packed / "stepdiff_pairs")
    records = open_records(tmp_path, "pairs", "train")
    first = record_lengths(tmp_path, "pairs", "train", records, tokenizer, LATENTS)
    example = record_example(records[5], tokenizer, LATENTS)
    assert (first.length[5], first.videos[5], first.answers[5]) == (
        example.length,
        2,
        example.answers,
    )
    (file,) = (tmp_path / "lengths").iterdir()
    np.save(file, np.full((132, 3), 9, np.int32))
    kept = record_lengths(tmp_path, "pairs", "train", records, tokenizer, LATENTS)
    assert (kept.length == 9).all()
    other = record_lengths(tmp_path, "pairs", "train", records, tokenizer, LATENTS + 1)
    np.testing.assert_array_equal(other.length, first.length + 2)


def test_features_take_the_place_of_frames(config, packed, tokenizer, tmp_path):
    (tmp_path / "stepdiff_pairs").symlink_to(packed / "stepdiff_pairs")
    config = dataclasses.replace(config, directory=str(tmp_path), visual_input="features")
    with pytest.raises(InputError, match="no features here"):
        batches(config, tokenizer, count=1)
    ids = clip_ids(tmp_path, "train")
    features = np.random.default_rng(0).normal(size=(len(ids), ENCODER.tokens, 8))
    write_features(tmp_path, "train", ids, features, "f")
    batch = batches(config, tokenizer, count=1)[0]
    assert batch.visual.shape == (ROWS, VIDEOS, 32, 8)
    assert batch.visual.dtype == np.float16
    for clip, shown in zip(batch.clips.ravel(), batch.visual.reshape(-1, 32, 8)):
        expected = features[clip].astype(np.float16) if clip >= 0 else np.zeros((32, 8))
        np.testing.assert_array_equal(shown, expected)
    write_features(tmp_path, "train", ids[::-1], features, "f")
    with pytest.raises(InputError, match="made for other clips"):
        batches(config, tokenizer, count=1)
    write_features(tmp_path, "train", ids, features[:, :4], "f")
    with pytest.raises(InputError, match=r"features are \[4, 8\], the encoder's \[32, 8\]"):
        batches(config, tokenizer, count=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mixture": ()}, "data.mixture needs sources"),
        ({"mixture": (Source("pairs", 0.0),)}, "data.mixture needs sources of positive weight"),
        ({"mixture": (Source("pairs"), Source("pairs"))}, "names a source twice"),
        ({"mixture": (Source("clips"),)}, "'clips' has no training targets"),
        ({"mixture": (Source("nothing"),)}, "no record set is named 'nothing'"),
        ({"split": "test"}, "no records of split 'test'"),
        ({"row_length": 40}, "pairs, split train: record .* needs row_length"),
        ({"row_videos": 1}, "needs row_videos 2, the configuration has 1"),
        ({"row_answers": 2}, "needs row_answers"),
        ({"visual_input": "sound"}, "data.visual_input must be frames or features, got 'sound'"),
    ],
)
def test_bad_configurations_are_input_errors(config, tokenizer, changes, message):
    with pytest.raises(InputError, match=message):
        batches(dataclasses.replace(config, **changes), tokenizer)


@pytest.mark.parametrize(("shard", "shards"), [(0, 3), (2, 2), (-1, 2)])
def test_shards_must_share_the_batch_evenly(config, tokenizer, shard, shards):
    with pytest.raises(InputError, match=r"data\.batch_rows 4 cannot be shared evenly"):
        batches(config, tokenizer, shard=shard, shards=shards)


def test_clips_of_another_number_of_frames_are_refused(config):
    encoder = dataclasses.replace(ENCODER, frames=4)
    with pytest.raises(InputError, match=r"clip 'train-0_0_1\.5' has 8 frames, encoder\.frames"):
        open_visual(config, encoder)[0]
