"""Which lines of Python made an instruction: HLO's tables of files and stack frames."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = str(Path(__file__).parents[3]) + "/"
"""The directory that holds the package; files below it are named relative to it."""

_FILE = re.compile(r'^(\d+) "(.*)"$')
_PLACE = re.compile(r"^(\d+) \{file_name_id=(\d+) .*?\bline=(\d+)")
_FRAME = re.compile(r"^(\d+) \{file_location_id=(\d+)(?: parent_frame_id=(\d+))?")
_FRAME_ID = re.compile(r"\bstack_frame_id=(\d+)")
_SOURCE = re.compile(r'source_file="([^"]*)" source_line=(\d+)')
_TABLES = ("FileNames", "FunctionNames", "FileLocations", "StackFrames")

Place = tuple[str, int]
"""A file and a line in it."""


def frame_lines(lines: Sequence[str]) -> dict[int, str]:
    """FILE:LINE of each stack frame in the tables at a program's head.

    That is the innermost line outside installed packages, since an array library's own line says
    nothing about the model, after the innermost line of another file that leads to it: "a.py:3 >
    b.py:7" is a product in b.py that a.py asks for.
    """
    files: dict[int, str] = {}
    places: dict[int, Place] = {}
    frames: dict[int, tuple[int, int]] = {}
    table = ""
    for line in lines:
        if line in _TABLES:
            table = line
        elif table == "FileNames" and (match := _FILE.match(line)):
            files[int(match[1])] = match[2]
        elif table == "FileLocations" and (match := _PLACE.match(line)):
            places[int(match[1])] = files[int(match[2])], int(match[3])
        elif table == "StackFrames" and (match := _FRAME.match(line)):
            frames[int(match[1])] = int(match[2]), int(match[3] or 0)
        elif line.startswith(("%", "ENTRY")):
            break
    # XLA writes a frame's parent plus one: the first frame, which has none, has parent 1.
    offset = frames[1][1] if 1 in frames else 0

    def outwards(frame: int) -> Iterator[Place]:
        while frame in frames:
            place, parent = frames[frame]
            yield places[place]
            frame = parent - offset if parent - offset < frame else 0

    return {frame: _described(list(outwards(frame))) for frame in frames}


def location(attributes: str, frames: Mapping[int, str]) -> str:
    """The lines that made an instruction, by its metadata; empty if it has none."""
    if frame := _FRAME_ID.search(attributes):
        return frames.get(int(frame[1]), "")
    source = _SOURCE.search(attributes)
    return _described([(source[1], int(source[2]))]) if source else ""


def _described(outwards: list[Place]) -> str:
    own = [place for place in outwards if "site-packages" not in place[0]] or outwards
    file, line = own[0]
    short = f"{_short(file)}:{line}"
    asking = next((place for place in own if place[0] != file), None)
    if asking is None or not asking[0].startswith(ROOT):
        return short
    return f"{_short(asking[0])}:{asking[1]} > {Path(file).name}:{line}"


def _short(file: str) -> str:
    return "/".join(file.removeprefix(ROOT).split("/")[-3:])
