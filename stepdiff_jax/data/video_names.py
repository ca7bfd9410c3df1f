"""The names that a video's file may have."""

VIDEO_SUFFIXES = (
    ".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts",
    ".3gp", ".flv", ".wmv", ".ogv",
)  # fmt: skip
"""Endings of video files, in the order in which they are looked for; also in upper case."""


def video_files(video: str) -> tuple[str, ...]:
    """The possible names of a video's file."""
    return tuple(
        f"{video}{written}" for suffix in VIDEO_SUFFIXES for written in (suffix, suffix.upper())
    )
