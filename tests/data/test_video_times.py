"""When frames are shown: late tracks, joined files, hidden packets, stamps of decoding, cut files.

Frame n of a video is shown at its start + n / 10 seconds; `numbers` reads n from the picture.
"""

import numpy as np
import pytest

from stepdiff_jax.data.video import VideoError, probe, sample_frames
from video_files import GROUPS, hide, numbers, remux, write

VP8 = {"b": "2M", "g": "40"}
VP9 = {"crf": "10", "b": "0", "g": "40"}


def shown(path, *span):
    """Frames by number, having checked that their times fit."""
    sampled = sample_frames(path, *span)
    found = numbers(sampled.frames)
    assert len(found) == 8
    return found, sampled.times


def numbers_between(first, last):
    return np.round(np.linspace(first, last, 8)).astype(int).tolist()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mpg", "a.flv"])
def test_a_track_that_starts_after_its_sound_counts_from_the_sound(tmp_path, name):
    codec, options = ("mpeg2video", {"b": "4M"}) if name == "a.mpg" else ("libx264", GROUPS)
    path = write(tmp_path / name, codec, options=options, start=2, sound=7)
    found, times = shown(path, 3.0, 4.4)
    np.testing.assert_allclose(np.asarray(found) / 10 + 2, times, atol=0.13)
    assert found[0] == 10
    assert probe(path).duration == pytest.approx(7, abs=0.3)
    early, _ = shown(path, 0.0, 3.0)
    assert (early[0], early[-1]) == (0, 10)
    with pytest.raises(VideoError, match=r"before the video's first frame at 2"):
        sample_frames(path, 0.0, 1.0)
    assert shown(path)[0][0] == 0


def test_a_track_that_starts_much_later_than_its_sound(tmp_path):
    """FFmpeg has not read so far when it looks for the streams' starts."""
    path = write(tmp_path / "a.mkv", frames=range(20), start=30, sound=32)
    assert shown(path, 30.5, 31.2)[0] == [5, 6, 7, 8, 9, 10, 11, 12]


def test_a_track_alone_starts_at_0_as_in_players(tmp_path):
    path = write(tmp_path / "a.mp4", start=2)
    assert shown(path, 1.0, 1.7)[0] == list(range(10, 18))


@pytest.mark.parametrize("name", ["a.ts", "a.webm", "a.mpg"])
@pytest.mark.parametrize(("span", "first"), [((1.0, 1.7), 10), ((6.0, 6.7), 10), ((9.0, 9.7), 40)])
def test_joined_files_go_on(tmp_path, name, span, first):
    """`cat a.ts a.ts`: the stamps start again in the middle."""
    codecs = {"a.ts": ("libx264", GROUPS), "a.webm": ("libvpx", VP8)}
    codec, options = codecs.get(name, ("mpeg2video", {"b": "4M", "bf": "2"}))
    once = write(tmp_path / f"once.{name}", codec, options=options)
    path = tmp_path / name
    path.write_bytes(once.read_bytes() * 2)
    found, times = shown(path, *span)
    assert abs(found[0] - first) <= (name == "a.mpg")  # its second starts one frame later
    assert found == list(range(found[0], found[0] + 8))
    np.testing.assert_allclose(np.diff(times), 0.1, atol=2e-3)
    with pytest.raises(VideoError, match="ends at 30 s, after the video's end at 1"):
        sample_frames(path, 6.0, 30.0)


def test_probe_of_joined_files_and_live_recordings(tmp_path):
    once = write(tmp_path / "once.ts").read_bytes()
    (tmp_path / "a.ts").write_bytes(once * 2)
    assert probe(tmp_path / "a.ts").duration == pytest.approx(10, abs=0.21)
    live = write(tmp_path / "a.webm", "libvpx", options=VP8, container_options={"live": "1"})
    assert probe(live).duration == pytest.approx(5, abs=0.11)
    assert shown(live, 1.0, 1.7)[0] == list(range(10, 18))


@pytest.mark.parametrize(
    ("codec", "options"), [("libx264", GROUPS), ("mpeg4", {"bf": "2", "b": "4M"})]
)
def test_avi_has_stamps_of_decoding_only(tmp_path, codec, options):
    path = write(tmp_path / "a.avi", codec, options=options)
    assert shown(path, 1.0, 1.7)[0] == list(range(10, 18))
    assert shown(path, 2.0, 4.9)[0][-1] == 49


def test_stamps_of_decoding_in_place_of_those_of_showing(tmp_path):
    def spoil(number, packet):
        packet.pts = packet.dts = number * 100

    path = remux(write(tmp_path / "right.mkv"), tmp_path / "a.mp4", spoil)
    found, times = shown(path, 1.0, 4.0)
    assert found == numbers_between(10, 40)
    np.testing.assert_allclose(times, np.asarray(found) / 10)


@pytest.mark.parametrize("earlier", [0, 1, 40], ids=["same stamp", "just before", "own stamp"])
def test_hidden_packets_show_nothing(tmp_path, earlier):
    source = write(tmp_path / "source.webm", "libvpx", options=VP8)
    hidden = [11, 15, 24, 33]
    path = hide(source, tmp_path / "a.webm", hidden, earlier)
    for span in [(1.0, 1.7), (2.0, 3.4), (0.0, 4.9)]:
        found, times = shown(path, *span)
        assert not set(found) & set(hidden)
        np.testing.assert_allclose(times, np.asarray(found) / 10, atol=1e-3)
        targets = np.linspace(*span, 8)
        assert np.abs(times - targets).max() <= 0.101


def test_a_stale_tag_of_the_duration(tmp_path):
    """As programs leave it that cut a file and copy its tags."""
    path = write(tmp_path / "a.mkv", sound=5)
    data = path.read_bytes()
    assert data.count(b"00:00:05.") == 2
    for told in (b"00:00:03.", b"00:01:05."):
        path.write_bytes(data.replace(b"00:00:05.", told))
        assert probe(path).duration == pytest.approx(5, abs=0.05)
        assert shown(path, 1.0, 4.5)[0] == numbers_between(10, 45)


def test_vp9_superframes(tmp_path):
    options = {**VP9, "auto-alt-ref": "1", "lag-in-frames": "25"}
    path = write(tmp_path / "a.webm", "libvpx-vp9", options=options, sound=5)
    assert shown(path, 1.0, 4.0)[0] == numbers_between(10, 40)


def test_repeated_stamps(tmp_path):
    """Two frames at one time, as a variable rate is rounded."""

    def repeat(number, packet):
        if number == 20:
            packet.pts = packet.dts = 1900

    path = remux(write(tmp_path / "s.webm", "libvpx", options=VP8), tmp_path / "a.mkv", repeat)
    found, times = shown(path, 1.0, 3.1)
    assert found == [10, 13, 16, 19, 22, 25, 28, 31]
    np.testing.assert_allclose(times, np.asarray(found) / 10)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.m4v", "libx264", GROUPS),
        ("a.MOV", "mpeg4", {"b": "4M"}),
        ("a.mpg", "mpeg2video", {"b": "4M", "bf": "2", "g": "12"}),
        ("a.wmv", "wmv2", {"b": "4M", "g": "12"}),
        ("a.flv", "libx264", GROUPS),
        ("a.3gp", "libx264", GROUPS),
        ("a.mts", "libx264", GROUPS),
    ],
)
def test_other_endings(tmp_path, name, codec, options):
    path = write(tmp_path / name, codec, options=options)
    assert shown(path, 1.0, 1.7)[0] == list(range(10, 18))
    assert shown(path)[0] == numbers_between(0, 49)


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mkv"])
def test_sound_that_goes_on_is_no_cut(tmp_path, name):
    """The header's duration is that of the sound."""
    codec, options = ("libvpx", VP8) if name == "a.webm" else ("libx264", GROUPS)
    path = write(tmp_path / name, codec, options=options, sound=8)
    assert shown(path, 3.0, 8.0)[0] == numbers_between(30, 49)
    with pytest.raises(VideoError, match="ends at 12 s, after the video's end at 5 s"):
        sample_frames(path, 3.0, 12.0)
    with pytest.raises(VideoError, match="starts at 6 s, after the video's end at 5 s"):
        sample_frames(path, 6.0, 7.0)


@pytest.mark.parametrize("sound", [0, 5])
@pytest.mark.parametrize("name", ["a.webm", "a.mkv"])
def test_a_cut_download_with_and_without_sound(tmp_path, name, sound):
    path = write(tmp_path / name, "libvpx", options=VP8, sound=sound)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    assert shown(path, 1.0, 1.7)[0] == list(range(10, 18))
    with pytest.raises(VideoError, match=r"cut off at \S+ s of 5") as caught:
        sample_frames(path, 1.0, 4.5)
    assert caught.value.kind == "video is cut off"


@pytest.mark.parametrize(
    ("name", "codec"), [("a.h264", "libx264"), ("a.m2v", "mpeg2video"), ("a.mjpeg", "mjpeg")]
)
def test_a_bare_stream_has_no_times(tmp_path, name, codec):
    def full_range(stream):
        if codec == "mjpeg":
            stream.pix_fmt = "yuvj420p"

    path = write(tmp_path / name, codec, options={}, prepare=full_range)
    for read in (lambda: sample_frames(path, 1.0, 4.0), lambda: probe(path)):
        with pytest.raises(VideoError) as caught:
            read()
        assert caught.value.kind == "frames have no time stamps"


@pytest.mark.parametrize(
    ("start", "end", "kind"),
    [
        (2.0, 5.9, None),
        (2.0, 6.2, "span ends after the video"),
        (2.0, 90.0, "span ends after the video"),
        (5.2, 5.5, "span after the video's end"),
        (1e18, 2e18, "span after the video's end"),
        (1e300, 1e300, "span after the video's end"),
        (np.nan, 2.0, "span is empty or starts before the video"),
        (np.inf, np.inf, "span is empty or starts before the video"),
        (-0.1, 2.0, "span is empty or starts before the video"),
        (0.0, 0.0, None),
    ],
)
def test_a_span_ends_at_most_a_second_after_the_video(tmp_path, start, end, kind):
    path = write(tmp_path / "a.mp4")
    if kind is None:
        found, _ = shown(path, start, end)
        assert found == numbers_between(start * 10, min(end * 10, 49))
        return
    with pytest.raises(VideoError) as caught:
        sample_frames(path, start, end)
    assert caught.value.kind == kind
