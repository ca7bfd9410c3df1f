"""Which model of transformers a system runs, and how: checked before any weights are read.

Needs the extra [torch]; torch itself is never imported here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stepdiff_jax.errors import InputError

INSTALL = 'pip install "stepdiff-jax[torch]"'
MOVING = ("main", "master", "HEAD")
"""Revisions that name other weights tomorrow."""

DType = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class ExternalWeights:
    """A model of transformers.

    weights: a directory, or a name on the hub; revision: a commit or tag, for a name on the hub.
    device: as torch names it, "cpu" or "cuda".
    """

    weights: str
    revision: str = ""
    dtype: DType = "auto"
    device: str = "cpu"

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
                the device is not known, the config cannot be read or is of another kind.
        """
        self._check_revision()
        from transformers import AutoConfig
        from transformers.utils import is_torch_available

        if not is_torch_available():
            raise InputError(f"--system {system} needs PyTorch: {INSTALL}")
        try:
            config = AutoConfig.from_pretrained(self.weights, revision=self.revision or None)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"--weights {self.weights}: {_one_line(error)}") from error
        if kinds and config.model_type not in kinds:
            raise InputError(
                f"--weights {self.weights}: model_type of config.json is {config.model_type!r}, "
                f"but --system {system} needs {' or '.join(map(repr, kinds))}"
            )
        if not kinds:
            from transformers.models.auto.modeling_auto import (
                MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as KNOWN,
            )

            if config.model_type not in KNOWN:
                raise InputError(
                    f"--weights {self.weights}: model_type of config.json is "
                    f"{config.model_type!r}, which is not a model of images and text"
                )
        return config.model_type

    def load(self, model_class: str = "AutoModelForImageTextToText") -> tuple[Any, Any]:
        """The model, without gradients, and its processor.

        Raises:
            InputError: they cannot be loaded, or the device cannot hold them.
        """
        import transformers

        place = {"revision": self.revision or None}
        try:
            processor = transformers.AutoProcessor.from_pretrained(self.weights, **place)
            loader = getattr(transformers, model_class)
            model = loader.from_pretrained(self.weights, dtype=self.dtype, **place)
            model = model.to(self.device).eval().requires_grad_(False)
        except ImportError as error:
            raise InputError(
                f"--weights {self.weights}: {_one_line(error)}; {INSTALL}, and torchvision for "
                "models that read videos"
            ) from error
        except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
            raise InputError(f"--weights {self.weights}: {_one_line(error)}") from error
        return model, processor

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
                    f"--revision {self.revision}: --weights {self.weights} is a directory, which "
                    "has no revisions"
                )
        elif self.weights.startswith((".", "/", "~")) or self.weights.count("/") > 1:
            raise InputError(f"--weights {self.weights}: no such directory")
        elif not self.revision or self.revision in MOVING:
            raise InputError(
                f"--weights {self.weights}: a name on the hub needs --revision, a commit or a tag, "
                f"got {self.revision!r}"
            )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"cannot be loaded: {text[:300]}"
