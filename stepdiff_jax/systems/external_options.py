"""Which model of transformers a system runs, and how: checked before any weights are read.

Needs the extra [torch]; torch itself is never imported here.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stepdiff_jax.errors import InputError
from stepdiff_jax.hub_errors import LONGEST, unloadable

INSTALL = 'pip install "stepdiff-jax[torch]"'
MOVING = ("main", "master", "HEAD")
"""Revisions that name other weights tomorrow."""

DType = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class ExternalWeights:
    """A model of transformers.

    weights: a directory, or a name on the hub; revision: a commit or tag, for a name on the hub.
    device: as torch names it, "cpu" or "cuda"; flag: what the user gave `weights` to, for messages.
    """

    weights: str
    revision: str = ""
    dtype: DType = "auto"
    device: str = "cpu"
    flag: str = "--weights"

    @property
    def is_directory(self) -> bool:
        """Whether the weights are on this machine."""
        return Path(self.weights).is_dir()

    def check(self, kinds: Collection[str] = (), system: str = "") -> str:
        """Check all that can be known without the weights; returns the config's model_type.

        Args:
            kinds: model types that the system can prompt; empty: any that reads images and text.
        Raises:
            InputError: torch is missing, a hub name has no pinned revision or a directory has one,
                the config cannot be read or is of another kind.
            OutsideFailure: the hub cannot be reached.
        """
        self._check_revision()
        from transformers import AutoConfig
        from transformers.utils import is_torch_available

        if not is_torch_available():
            raise InputError(f"--system {system} needs PyTorch: {INSTALL}")
        with self._one_line():
            # Without the last, transformers asks on the terminal whether to run a model's own code.
            config = AutoConfig.from_pretrained(
                self.weights, revision=self.revision or None, trust_remote_code=False
            )
        if kinds and config.model_type not in kinds:
            raise InputError(
                f"{self.flag} {self.weights}: model_type of config.json is {config.model_type!r}, "
                f"but --system {system} needs {' or '.join(map(repr, kinds))}"
            )
        if not kinds:
            from transformers.models.auto.modeling_auto import (
                MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN,
            )

            if config.model_type not in KNOWN:
                raise InputError(
                    f"{self.flag} {self.weights}: model_type of config.json is "
                    f"{config.model_type!r}, which is not a model of images and text"
                )
        return config.model_type

    def load(self) -> tuple[Any, Any]:
        """The model and its processor; see `load_model` and `load_processor`."""
        processor = self.load_processor()
        return self.load_model(), processor

    def load_processor(self) -> Any:
        """What makes a model's input of texts and images.

        Raises:
            InputError: it cannot be loaded, or needs a package that is missing.
            OutsideFailure: the hub cannot be reached.
        """
        from transformers import AutoProcessor

        with self._one_line():
            return AutoProcessor.from_pretrained(
                self.weights, revision=self.revision or None, trust_remote_code=False
            )

    def load_model(self) -> Any:
        """The model, without gradients.

        Raises:
            InputError: it cannot be loaded, its weights are not complete, or the device is unknown
                or cannot hold them.
            OutsideFailure: the hub cannot be reached.
        """
        from transformers import AutoModelForImageTextToText

        with self._one_line():
            loaded: Any = AutoModelForImageTextToText.from_pretrained(
                self.weights,
                revision=self.revision or None,
                dtype=self.dtype,
                trust_remote_code=False,
                output_loading_info=True,
            )
            model, info = loaded
            if missing := sorted(info["missing_keys"]):  # which transformers makes up at random
                raise InputError(
                    f"{self.flag} {self.weights}: {len(missing)} of the model's tensors are "
                    f"missing, such as {missing[0]!r}"
                )
            return model.to(self.device).eval().requires_grad_(False)

    def to_json(self, model: Any) -> dict[str, Any]:
        """What results record: the weights, their revision and class, and the dtype."""
        return {
            "weights": self.weights,
            "revision": self.revision or None,
            "class": type(model).__name__,
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": self.device,
        }

    def _check_revision(self) -> None:
        if self.is_directory:
            if self.revision:
                raise InputError(
                    f"--revision {self.revision}: {self.flag} {self.weights} is a directory, which "
                    "has no revisions"
                )
        elif self.weights.startswith((".", "/", "~")) or self.weights.count("/") > 1:
            raise InputError(f"{self.flag} {self.weights}: no such directory")
        elif not self.revision or self.revision in MOVING:
            raise InputError(
                f"{self.flag} {self.weights}: a name on the hub needs --revision, a commit or a "
                f"tag, got {self.revision!r}"
            )

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        what = f"{self.flag} {self.weights}"
        try:
            yield
        except InputError:
            raise
        except ImportError as error:
            missing = " ".join(str(error).split())[:LONGEST]
            raise InputError(
                f"{what}: a package is missing; models that read videos need torchvision, and "
                f"SmolVLM num2words: {missing}"
            ) from error
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
            raise unloadable(what, error) from error
