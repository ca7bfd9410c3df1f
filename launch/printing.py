"""Output that can print any name."""

import io
import sys


def print_any_name() -> None:
    r"""From now on, print what the output cannot encode escaped instead of raising an error.

    File names that are not UTF-8 hold surrogates, which a strict UTF-8 output refuses: they are
    printed as `\udce9`. Called first by each command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
