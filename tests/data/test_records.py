"""Records come back in the order and with the contents that they were packed with."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from record_sources import read_lines
from stepdiff_jax.data import prompts
from stepdiff_jax.data.records import (
    NARRATION_QUESTION,
    PairRecord,
    QuestionAnswer,
    SequenceRecord,
    clip_ids,
    conversation_of,
    dataset_path,
    open_records,
)
from stepdiff_jax.data.video import decode_jpeg
from stepdiff_jax.errors import InputError


def lines(source: Path, kind: str, split: str) -> list[dict]:
    return [row for row in read_lines(source / f"{kind}.jsonl") if row["split"] == split]


@pytest.mark.parametrize("split", ["train", "validation"])
def test_clips_keep_the_order_and_the_fields_of_their_lines(source, packed, split):
    records = open_records(packed, "clips", split)
    rows = lines(source, "clips", split)
    assert [record.id for record in records] == [row["clip"] for row in rows]
    assert clip_ids(packed, split) == tuple(row["clip"] for row in rows)
    for record, row in zip(records, rows, strict=True):
        for field in ("keystep", "activity", "narration"):
            assert getattr(record, field) == row[field]


def test_clips_hold_eight_frames_of_their_own_span(source, packed):
    for record, row in zip(open_records(packed, "clips", "train"), lines(source, "clips", "train")):
        assert len(record.frames) == len(record.times) == 8
        assert record.times.dtype == np.float32
        assert np.all(np.diff(record.times) >= 0)
        assert row["start"] - 0.13 <= record.times[0]
        assert record.times[-1] <= row["end"] + 0.13
        # The videos darken by one level a frame, from a level that tells the video.
        video = int(row["video"].split("-")[1].split(".")[0])
        for jpeg, time in zip(record.frames, record.times):
            assert abs(decode_jpeg(jpeg).mean() - (250 - 50 * video - 4 * time)) < 3


def test_pairs_refer_to_clips_by_index_in_the_order_of_lines(source, packed):
    ids = clip_ids(packed, "train")
    rows = lines(source, "pairs", "train")
    records = open_records(packed, "pairs", "train")
    assert len(records) == len(rows) == 132
    for record, row in zip(records, rows):
        assert (ids[record.reference], ids[record.candidate]) == (
            row["reference"],
            row["candidate"],
        )
        assert record.questions == tuple(
            QuestionAnswer(**question) for question in row["questions"]
        )


@pytest.mark.parametrize("kind", ["sequences", "single"])
def test_sequences_keep_their_clips_and_narrations(source, packed, kind):
    ids = clip_ids(packed, "train")
    rows = lines(source, kind, "train")
    for record, row in zip(open_records(packed, kind, "train"), rows, strict=True):
        assert [ids[clip] for clip in record.clips] == row["clips"]
        assert list(record.narrations) == row["narrations"]


def test_records_index_as_sequences_do(packed):
    records = open_records(packed, "single", "train")
    assert len(records) == 12
    assert records[np.int64(-1)] == records[11]
    assert records[2:4] == [records[2], records[3]]
    for outside in (12, -13):
        with pytest.raises(IndexError):
            records[outside]


def test_threads_read_what_one_thread_reads(packed):
    records = open_records(packed, "pairs", "train")
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(records.__getitem__, range(132))) == list(records)


def test_missing_data_is_an_input_error(packed, tmp_path):
    with pytest.raises(InputError, match=r"clips/1\.0\.0: no dataset here"):
        open_records(tmp_path, "clips", "train")
    with pytest.raises(InputError, match=r"no records of split 'test', it has \['train'"):
        open_records(packed, "pairs", "test")
    with pytest.raises(InputError, match="no records of split 'test'"):
        clip_ids(packed, "test")
    with pytest.raises(InputError, match="no record set is named 'triples'"):
        open_records(packed, "triples", "train")


def test_records_of_other_clips_are_refused(packed, tmp_path):
    for kind in ("clips", "pairs"):
        target = dataset_path(tmp_path, kind)
        target.parent.mkdir(parents=True)
        target.symlink_to(dataset_path(packed, kind))
    assert len(open_records(tmp_path, "pairs", "train")) == 132
    clips = dataset_path(tmp_path, "clips")
    clips.unlink()
    clips.mkdir()
    for file in dataset_path(packed, "clips").iterdir():
        (clips / file.name).write_bytes(file.read_bytes())
    metadata = json.loads((clips / "metadata.json").read_text())
    (clips / "metadata.json").write_text(json.dumps({**metadata, "clips": "another digest"}))
    with pytest.raises(InputError, match="packed with other clips"):
        open_records(tmp_path, "pairs", "train")


def test_conversations():
    pair = PairRecord(4, 2, (QuestionAnswer("q1", "a1", 0.5), QuestionAnswer("q2", "a2")))
    assert conversation_of(pair) == prompts.pair_conversation(
        4,
        2,
        [
            ("q1", prompts.Text("a1", loss_weight=0.5, end=True)),
            ("q2", prompts.Text("a2", loss_weight=1.0, end=True)),
        ],
    )
    single = conversation_of(SequenceRecord((7,), ("we stir",)))
    assert single.clips == (7,)
    assert prompts.Text(NARRATION_QUESTION) in single.branches[0]
    assert single.branches[0][-1] == prompts.Text("we stir", loss_weight=1.0, end=True)
    sequence = conversation_of(SequenceRecord((7, 8), ("we stir", "we fry")))
    assert sequence == prompts.interleaved_conversation((7, 8), ("we stir", "we fry"))
