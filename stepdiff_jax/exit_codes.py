"""Exit codes of `stepdiff`, and what they ask of whoever started it; see docs/processes.md."""

import os

FAILED = 1
BAD_INPUT = 2
"""One line says what is wrong; the same input fails again."""
PEER_LOST = os.EX_UNAVAILABLE
"""69: ended because another process of the run is gone."""
STUCK = os.EX_SOFTWARE
"""70: no step ended for too long."""
SAVED = os.EX_TEMPFAIL
"""75: training stopped early and everything is saved; started again it goes on."""
INTERRUPTED = 130
