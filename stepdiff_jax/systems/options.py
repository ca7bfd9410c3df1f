"""How `stepdiff evaluate --system NAME` opens a system."""

import abc
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stepdiff_jax.config import Experiment
from stepdiff_jax.errors import InputError

if TYPE_CHECKING:  # the command line lists systems without numpy
    from stepdiff_jax.evaluation.system import System


@dataclass(frozen=True)
class SystemOptions(abc.ABC):
    """A system's own options: each field of a subclass is a flag, its docstring the help."""

    @abc.abstractmethod
    def open(self, experiment: Experiment, split: str, clips: Collection[str]) -> "System":
        """Open the system for the clips of one split of an experiment's data.

        Args:
            clips: ids of the clips that it will be asked about; checked before any slow work.
        Raises:
            InputError: a clip is missing, or data or weights do not match the experiment.
        """

    def to_json(self) -> dict[str, Any]:
        """The values, as a result file records them."""
        return json.loads(json.dumps(asdict(self), default=str))


def require_clips(clips: Collection[str], known: Collection[str], source: str) -> None:
    """Raise InputError if the benchmark asks about a clip that `source` lacks."""
    held = frozenset(known)
    missing = [clip for clip in clips if clip not in held]
    if missing:
        raise InputError(
            f"{source}: clip {missing[0]!r} is missing; the benchmark asks about {len(clips)} "
            f"clips, of which {len(missing)} are missing"
        )
