"""Servers, disks and processes that fail: a stage stops, and nothing of it becomes a result."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from data.test_video import write_video
from data_prep.cli.prep import STAGES
from data_prep.frames.decode import ClipDecoder, ClipFrames, Span, Undecodable, decode_clip
from faulty_server import serve
from launch.cli import main
from record_sources import read_lines, write_lines, write_source
from stepdiff_jax.errors import InputError, OutsideFailure
from stepdiff_jax.outside import one_line_errors

TIMES = [number / 10 for number in range(30)]


def write_clips(directory: Path, number: int) -> list[str]:
    """clips.jsonl, and the command that describes them."""
    seen = {"keystep": "stir", "narration": "salt"}
    write_lines(
        directory / "clips.jsonl", [{"clip": f"v_{one}_9", **seen} for one in range(number)]
    )
    command = f"prep describe --clips {directory}/clips.jsonl --destination {directory}/d.jsonl"
    return [*command.split(), "--model.name", "m", "--model.concurrency", "1"]


def left(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_server_that_is_down_costs_no_clip(tmp_path, capsys):
    command = write_clips(tmp_path, 3)
    assert main([*command, "--model.base-url", "http://127.0.0.1:9/v1"]) == 75
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("stepdiff: error: --model.base-url http://127.0.0.1:9/v1: no answer")
    assert left(tmp_path) == {"clips.jsonl", "d.part"}
    with serve(lambda text: "it says so") as (address, served):
        assert main([*command, "--model.base-url", address]) == 0
    assert len(served.prompts) == 3
    assert len(read_lines(tmp_path / "d.jsonl")) == 3
    assert (tmp_path / "d.quarantine.jsonl").read_text() == ""


def test_what_a_server_answered_before_it_went_away_is_not_asked_again(tmp_path):
    command = [*write_clips(tmp_path, 6), "--model.attempts", "1", "--model.base-url"]
    with serve(lambda text: "it says so", [200] * 4 + [503] * 9) as (address, served):
        assert main([*command, address]) == 75
    assert len(served.prompts) == 5
    assert left(tmp_path) == {"clips.jsonl", "d.part"}
    with serve(lambda text: "it says so") as (address, served):
        assert main([*command, address]) == 0
    assert len(served.prompts) == 2
    assert len(read_lines(tmp_path / "d.jsonl")) == 6


def kill_me(span: Span) -> ClipFrames | Undecodable:
    if span.video.suffix == ".txt":
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory runs out
    return decode_clip(span)


def test_a_decoder_that_is_killed_says_nothing_about_its_video(tmp_path):
    good = write_video(tmp_path / "good.mp4", TIMES)
    wanted = pytest.raises(OutsideFailure, match=r"bad\.txt: the process that decodes it")
    with ClipDecoder(1, decode=kill_me) as decoder, wanted:
        list(decoder([Span(good, 0, 1), Span(tmp_path / "bad.txt", 0, 1)]))


def frames(directory: Path, *more: str) -> list[str]:
    command = f"prep frames --clips {directory}/clips.jsonl --destination {directory}/frames.jsonl"
    return [*command.split(), "--processes", "1", *more]


def test_a_disk_that_fails_is_no_broken_video(tmp_path, capsys):
    write_video(tmp_path / "good.mp4", TIMES)
    (tmp_path / "bad.mp4").symlink_to("/proc/self/mem")  # whose first byte cannot be read: EIO
    rows = [
        {"clip": f"{name}_0_1", "video": f"{name}.mp4", "start": 0, "end": 1}
        for name in ("good", "bad")
    ]
    write_lines(tmp_path / "clips.jsonl", rows)
    assert main(frames(tmp_path)) == 75
    assert f"{tmp_path}/bad.mp4: Input/output error" in capsys.readouterr().err
    assert not (tmp_path / "frames.quarantine.jsonl").exists()
    assert len((tmp_path / "frames.part").read_text().splitlines()) == 2  # the good one is kept


def test_a_full_disk_stops_and_is_gone_on_with(tmp_path):
    source = write_source(tmp_path / "source")
    command = ["prep", "frames", "--clips", f"{source}/clips.jsonl", "--processes", "1"]
    program = "import sys; from launch.cli import main; sys.exit(main(sys.argv[1:]))"

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    done = subprocess.run(
        [sys.executable, "-c", program, *command, "--destination", f"{tmp_path}/frames.jsonl"],
        preexec_fn=small_files,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 75, done.stderr
    assert "File too large" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert not list(tmp_path.glob("frames.*quarantine*"))
    assert main([*command, "--destination", f"{tmp_path}/frames.jsonl"]) == 0
    assert (tmp_path / "frames.jsonl").read_bytes() == (source / "frames.jsonl").read_bytes()


def test_videos_that_are_not_mounted_are_said_at_once(tmp_path, capsys):
    write_lines(
        tmp_path / "clips.jsonl",
        [{"clip": f"v{n}_0_1", "video": f"v{n}.mp4", "start": 0, "end": 1} for n in range(3)],
    )
    assert main(frames(tmp_path)) == 2
    assert "v0.mp4: no such video file, nor any other of 3" in capsys.readouterr().err
    assert left(tmp_path) == {"clips.jsonl"}


def test_videos_that_disappear_while_they_are_decoded_are_not_missing_ones(tmp_path, capsys):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_video(videos / "v.mp4", TIMES)
    rows = [{"clip": f"v_{n}", "video": "videos/v.mp4", "start": 0, "end": 2} for n in range(100)]
    write_lines(tmp_path / "clips.jsonl", rows)
    journal = tmp_path / "frames.part"

    def unmount() -> None:
        while not (journal.exists() and len(journal.read_text().splitlines()) > 2):
            time.sleep(0.01)
        videos.rename(tmp_path / "elsewhere")

    thread = threading.Thread(target=unmount)
    thread.start()
    assert main(frames(tmp_path)) == 75
    thread.join()
    assert "is not there any more" in capsys.readouterr().err
    (tmp_path / "elsewhere").rename(videos)
    assert main(frames(tmp_path)) == 0
    assert len(read_lines(tmp_path / "frames.jsonl")) == 100


DESTINATIONS = {
    "clips": "--htstep h --destination {}",
    "frames": "--clips c --destination {}/f.jsonl",
    "describe": "--clips c --model.name m --destination {}/f.jsonl",
    "pair": "--clips c --destination {}/f.jsonl",
    "question": "--pairs p --descriptions d --model.name m --destination {}/f.jsonl",
    "filter": "--questions q --destination {}/f.jsonl",
    "sequences": "--directory {}",
    "pack": "--source s --destination {}",
    "features": "kitchen --data.directory {}",
    "export-llava": "--clips c --pairs p --destination {}/f.json",
    "import-llava": "--source s --videos v --destination {}",
    "inspect": "--source s --destination {}/f.html",
    "differences": "--annotations a --destination {}/f.jsonl",
    "benchmark": "--differences d --destination {}",
}


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"validate"}))
def test_a_destination_that_cannot_be_written_is_named_before_anything_is_read(stage, capsys):
    words = DESTINATIONS[stage].format("/proc/none").split()
    assert main(["prep", stage, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stepdiff: error: /proc/none: cannot be written: ")


def test_a_destination_that_is_a_directory_is_named(tmp_path, capsys):
    command = ["prep", "filter", "--questions", "q", "--destination", str(tmp_path)]
    assert main(command) == 2
    assert f"{tmp_path}: cannot be written: is a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(28, "No space left on device", "a"), OutsideFailure),
        (OSError(122, "Disk quota exceeded", "a"), OutsideFailure),
        (OSError(5, "Input/output error", "a"), OutsideFailure),
        (OSError(30, "Read-only file system", "a"), OutsideFailure),
        (PermissionError(13, "Permission denied", "a"), InputError),
        (FileNotFoundError(2, "No such file or directory", "a"), InputError),
    ],
)
def test_an_error_of_the_system_is_one_line(error, kind):
    with pytest.raises(kind, match=f"^a: {error.strerror}"), one_line_errors():
        raise error


def test_memory_that_runs_out_is_an_outside_failure():
    with pytest.raises(OutsideFailure, match="out of memory"), one_line_errors():
        bytearray(1 << 60)


def test_a_stage_from_which_nothing_comes_out_fails(tmp_path, capsys):
    pair = {"reference": "a", "candidate": "b", "reference_description": "a spoon"}
    pair |= {"candidate_description": "a fork", "questions": [{"question": "", "answer": ""}]}
    write_lines(tmp_path / "q.jsonl", [pair])
    command = f"prep filter --questions {tmp_path}/q.jsonl --destination {tmp_path}/f.jsonl"
    for _ in range(2):
        assert main(command.split()) == 2
        told = capsys.readouterr()
        summary = told.out.splitlines()[0].partition(": ")[2]
        assert json.loads(summary)["dropped"] == {"no question is left": 1}
        assert "f.jsonl: nothing came out of 1 records (no question is left: 1)" in told.err
