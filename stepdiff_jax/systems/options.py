"""How `stepdiff evaluate --system NAME` opens a system."""

import abc
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line lists systems without numpy
    from stepdiff_jax.evaluation.system import Opening, System


@dataclass(frozen=True)
class SystemOptions(abc.ABC):
    """A system's own options: each field of a subclass is a flag, its docstring the help."""

    @abc.abstractmethod
    def open(self, opening: "Opening") -> "System":
        """Open the system for some clips; everything that is missing is found before slow work.

        Raises:
            InputError: a clip is missing, or data or weights do not match the experiment.
        """

    def to_json(self) -> dict[str, Any]:
        """The values, as a result file records them."""
        return json.loads(json.dumps(asdict(self), default=str))
