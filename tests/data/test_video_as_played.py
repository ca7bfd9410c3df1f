"""Any span gives the frames that decoding the whole file finds nearest, as a player would."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdiff_jax.data.video import sample_frames
from video_files import GROUPS, hide, numbers, write

OPEN = {"crf": "8", "g": "8", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("played")
    vp8 = write(root / "source.webm", "libvpx", options={"b": "2M", "g": "15"})
    return {
        "mp4, late": write(root / "late.mp4", options=GROUPS, start=1, sound=6),
        "mkv, open groups": write(root / "open.mkv", options=OPEN, sound=5),
        "ts, late": write(root / "late.ts", options=OPEN, start=1, sound=6),
        "mpg": write(root / "a.mpg", "mpeg2video", options={"b": "4M", "bf": "2", "g": "12"}),
        "webm, hidden": hide(vp8, root / "a.webm", [7, 22, 38], 0),
    }


KINDS = ("mp4, late", "mkv, open groups", "ts, late", "mpg", "webm, hidden")


def played(path: Path) -> tuple[np.ndarray, list[int]]:
    """Times and numbers of all frames."""
    with av.open(str(path)) as container:
        start = container.start_time / av.time_base
        shown = [(frame.time - start, frame) for frame in container.decode(video=0)]
        times = np.asarray([time for time, _ in shown])
        return times, numbers(np.stack([frame.to_ndarray(format="rgb24") for _, frame in shown]))


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_those_of_a_player(files, kind):
    path = files[kind]
    times, found = played(path)

    @settings(max_examples=25, deadline=None)
    @given(st.floats(0, float(times[-1])), st.floats(0, 3), st.integers(1, 9))
    def check(first, length, count):
        last = min(first + length, float(times[-1]) + 0.5)
        if last + 0.4 < times[0]:
            return
        sampled = sample_frames(path, first, last, count)
        bounds = np.clip([first, last], times[0], times[-1])
        distances = np.abs(times - np.linspace(*bounds, count)[:, None])
        np.testing.assert_allclose(
            np.abs(sampled.times - np.linspace(*bounds, count)), distances.min(1), atol=1e-5
        )
        shown = np.abs(times - sampled.times[:, None]).argmin(1)
        assert numbers(sampled.frames) == [found[index] for index in shown]

    check()
