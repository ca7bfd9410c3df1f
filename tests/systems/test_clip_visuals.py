"""Systems read clips from packed data and from video files at one place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs.kitchen import experiment
from stepdiff_jax.config import Experiment
from stepdiff_jax.data.packed_clips import PackedClips
from stepdiff_jax.data.video_clips import VideoClips
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import DiffRank
from stepdiff_jax.evaluation.system import Opening
from stepdiff_jax.systems.clip_visuals import clip_visuals
from stepdiff_jax.systems.vlembed import InternVideoEmbeddings
from tiny_experiment import write_tiny_experiment

CLIPS = [f"train{number}_0_1" for number in (2, 0, 3, 1)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("visuals")


@pytest.fixture(scope="module")
def tiny(root: Path) -> Experiment:
    return write_tiny_experiment(root)


def openings(root: Path, tiny: Experiment) -> tuple[Opening, Opening]:
    """For the same clips, packed and as video files."""
    packed = PackedClips(root / "data", CLIPS)
    videos = VideoClips(root / "records", CLIPS, tiny.encoder.frames)
    return Opening(tiny, None, packed), Opening(tiny, None, videos)


def test_both_show_the_same_frames_but_for_the_jpeg_images_in_between(root, tiny):
    packed, videos = (clip_visuals(one, tiny.data) for one in openings(root, tiny))
    assert len(packed) == len(videos) == len(CLIPS)
    for number in range(len(CLIPS)):
        difference = packed[number].astype(int) - videos[number]
        assert np.abs(difference).mean() < 8
    assert not videos.caches


def test_a_video_that_is_missing_is_found_when_a_system_is_opened(root, tiny):
    videos = VideoClips(root / "records", [*CLIPS, "lost_0_1"], tiny.encoder.frames)
    with pytest.raises(InputError, match=r"1 of the 5 clips .* missing: 'lost_0_1'"):
        clip_visuals(Opening(tiny, None, videos), tiny.data)
    other = replace(tiny, encoder=replace(tiny.encoder, frames=4))
    videos = VideoClips(root / "records", CLIPS, 8)
    with pytest.raises(InputError, match=r"has 8 frames, encoder\.frames is 4"):
        clip_visuals(Opening(other, None, videos), tiny.data)


def test_a_system_answers_from_video_files_as_from_packed_clips(root, tiny):
    question = DiffRank(CLIPS[0], tuple(CLIPS), "Actions", (5, 1, 2, 3))
    kitchen = replace(experiment(), data=tiny.data)  # whose encoder reads texts, too
    packed, videos = (
        InternVideoEmbeddings().open(one).rank([question])[0].scores
        for one in openings(root, kitchen)
    )
    assert videos[0] == pytest.approx(1.0, abs=1e-5)
    assert videos == pytest.approx(packed, abs=0.05)
