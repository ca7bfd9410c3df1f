"""JSON that is too large for the memory: bytes for a streaming parser."""

import re
from typing import Protocol


class ByteStream(Protocol):
    """What a streaming JSON parser reads."""

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        ...


class WellFormedJson:
    """A stream of JSON with U+FFFD for the escapes of unpaired surrogates.

    ijson's parser fails at some of them and turns others into question marks.
    """

    def __init__(self, stream: ByteStream):
        self._stream = stream
        self._held = b""

    def read(self, size: int) -> bytes:
        """At least one byte unless the stream is at its end or `size` is 0."""
        if not size:
            return b""
        while True:
            new = self._stream.read(size)
            found = self._held + new
            end = _safe_end(found) if new else len(found)
            self._held = found[end:]
            if end or not new:
                return _ESCAPE.sub(_well_formed, found[:end])


_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|[\s\S])"
)
"""An escape: a pair of surrogates, half of one, or the beginning of any other."""

_LONGEST_ESCAPE = 12


def _well_formed(escape: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if escape["half"] else escape[0]


def _safe_end(found: bytes) -> int:
    """Where `found` can be cut without cutting an escape, or a pair of surrogates, in two."""
    start = max(0, len(found) - _LONGEST_ESCAPE)
    end = found.find(b"\\", start)
    if end < 0:
        return len(found)
    while end and (found[end - 1 : end] == b"\\"):
        end -= 1
    if re.search(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\Z", found[max(0, end - 6) : end]):
        end -= 6
    return end
