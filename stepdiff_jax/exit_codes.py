"""Exit codes of `stepdiff`, and what they mean to its caller; see docs/processes.md."""

import os

FAILED = 1
BAD_INPUT = 2
"""A one-line message says what is wrong; the same input fails again."""
SET_ASIDE = 3
"""Finished, but some of the input was set aside; the quarantine file has it, with the reasons."""
PEER_LOST = os.EX_UNAVAILABLE
"""69: ended because another process of the run is gone."""
STUCK = os.EX_SOFTWARE
"""70: no step finished for too long."""
SAVED = os.EX_TEMPFAIL
"""75: stopped early with everything saved: by a signal, or by a server or disk that fails. Resumes
when started again."""
INTERRUPTED = 130
