"""Names that the output cannot encode are printed in some form."""

import os
import subprocess
import sys

import pytest

from record_sources import write_lines
from video_files import write


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("utf-8:strict", "caf\\udce9"), ("ascii:strict", "caf\\udce9"), ("utf-8:surrogateescape", "")],
)
def test_a_name_that_is_not_utf_8_is_printed(tmp_path, encoding, told):
    directory = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(directory)  # noqa: PTH102
    write(tmp_path / os.fsdecode(b"caf\xe9") / "a.mp4")
    row = {"clip": "a", "video": "a.mp4", "start": 1.0, "end": 2.0}
    clips = tmp_path / os.fsdecode(b"caf\xe9") / "clips.jsonl"
    write_lines(clips, [row])
    words = ["prep", "frames", "--clips", directory + b"/clips.jsonl", "--processes", "1"]
    words += ["--destination", directory + b"/frames.jsonl"]
    done = subprocess.run(
        [sys.executable, "-m", "launch", *words],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[-1]
    assert (told.encode() or b"caf\xe9") in first
