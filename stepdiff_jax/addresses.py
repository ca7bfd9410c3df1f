"""Addresses of cloud stores (`gs://`, `s3://`, ...) where a path is expected: refused.

Everything is read and written by local path; a bucket can be mounted (docs/clusters.md). Without
this check `Path("gs://bucket/run")` would be a local directory `gs:`.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from stepdiff_jax.errors import InputError

STORES = "gs|gcs|s3|s3a|s3n|r2|az|abfs|abfss|adl|wasb|wasbs|hdfs|webhdfs|hf|oss|cos|obs|swift|dbfs"
WEB = "http|https|ftp|ftps|sftp|ssh|file"

STORE = re.compile(rf"({STORES})://", re.IGNORECASE)
ADDRESS = re.compile(rf"({STORES}|{WEB})://", re.IGNORECASE)
COLLAPSED = re.compile(rf"({STORES}|{WEB}):/", re.IGNORECASE)
"""An address as `Path` writes it."""

FLAG = re.compile(r"(--[^=]+)=(.*)", re.DOTALL)


def refuse_stores(arguments: Sequence[str]) -> None:
    """Raise InputError if a word of a command line, or the value of `--flag=value`, is the address
    of a cloud store.

    Values such as those of `--beam-options temp_location=gs://...` are not paths of ours.
    """
    flag = ""
    for word in arguments:
        match = FLAG.fullmatch(word)
        flag, value = (match[1], match[2]) if match else (flag, word)
        if STORE.match(value):
            _refuse(flag, value)
        flag = word if word.startswith("--") and not match else flag


def refuse_addresses(options: Any, *, texts: bool = False) -> None:
    """Raise InputError if a path in a dataclass of options is an address.

    Args:
        texts: also check the fields of type str, if all that may be paths are local ones.
    """
    for field, value in _values(options, ""):
        if isinstance(value, PurePath):
            if COLLAPSED.match(str(value)):
                _refuse(field, str(value).replace(":/", "://", 1))
        elif texts and isinstance(value, str) and ADDRESS.match(value):
            _refuse(field, value)


def _values(options: Any, field: str) -> Iterator[tuple[str, Any]]:
    if dataclasses.is_dataclass(options):
        for one in dataclasses.fields(options):
            name = f"{field}.{one.name}" if field else one.name
            yield from _values(getattr(options, one.name), name)
    elif isinstance(options, list | tuple):
        for value in options:
            yield from _values(value, field)
    else:
        yield field, options


def _refuse(field: str, address: str) -> None:
    where = f"{field}: " if field else ""
    raise InputError(
        f"{where}{address} is an address, and only local paths are read and written; mount the "
        "bucket (docs/clusters.md) and give the path below the mount"
    )
