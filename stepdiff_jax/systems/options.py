"""How `stepdiff evaluate --system NAME` opens a system."""

import abc
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stepdiff_jax.config import Experiment
from stepdiff_jax.evaluation.identity import named_paths

if TYPE_CHECKING:  # the command line lists systems without numpy
    from stepdiff_jax.evaluation.system import Opening, System


@dataclass(frozen=True)
class SystemOptions(abc.ABC):
    """A system's own options: each field of a subclass is a flag, its docstring the help."""

    save_every: ClassVar[int] = 512
    """Instances that are answered and saved together."""

    @property
    def sees_clips(self) -> bool:
        """Whether the system looks at frames or features of the clips that it is asked about."""
        return True

    @abc.abstractmethod
    def open(self, opening: "Opening") -> "System":
        """Open the system for some clips; everything that is missing is found before slow work.

        Raises:
            InputError: a clip is missing, or data or weights do not match the experiment.
        """

    def reads(self, experiment: Experiment) -> tuple[Path, ...]:
        """Files and directories that the answers depend on; they need not exist."""
        weights = (experiment.weights.llama, experiment.weights.encoder)
        return (*named_paths(self), *map(Path, weights), Path(experiment.weights.tokenizer))

    def to_json(self) -> dict[str, Any]:
        """The values, as a result file records them."""
        return json.loads(json.dumps(asdict(self), default=str))
