"""The interface of a family of language models to the rest of the framework."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from stepdiff_jax.config import LlamaConfig

Role = Literal["system", "user", "assistant"]
"""The speaker of a turn in a conversation."""


@dataclass(frozen=True)
class Special:
    """A special token by its name, such as "<|eot_id|>". Only templates have them, texts never."""

    name: str


Piece = str | Special
"""A part of what a chat template puts between the texts of turns."""


@dataclass(frozen=True)
class Preset:
    """How many chips hold one copy of the frozen weights, and how these are stored."""

    group: int
    quantization: Literal["", "int8", "int4"] = ""


@dataclass(frozen=True)
class Size:
    """One published model of a family.

    label: its name in experiments and run directories.
    directory, tokenizer: where published configs look for its weights and tokenizer.
    presets: accelerator -> how the model is laid out there ("h100" is for nodes of eight, "h200"
        for one GPU).
    """

    label: str
    config: LlamaConfig
    directory: str
    tokenizer: str
    presets: Mapping[str, Preset]

    def and_on(self, **presets: Preset) -> "Size":
        """The same size with more presets."""
        return replace(self, presets={**self.presets, **presets})


class TokenizerModel(Protocol):
    """A tokenizer file, opened by the rules of its family."""

    vocabulary_size: int

    def encode(self, text: str) -> Sequence[int]:
        """Ids of one text; the name of a special token in it is plain text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, without special tokens."""
        ...

    def special(self, name: str) -> int:
        """The id of a special token; InputError if the file has none of that name."""
        ...


@dataclass(frozen=True)
class Tensor:
    """One tensor of a checkpoint, and the array of a module's `nnx.state` that it fills.

    name, shape: in the checkpoint.
    path: of our array; layer: its index on that array's first axis, None if it is not stacked.
    transposed: whether ours is the transpose of its last two axes.
    rows: if only a part of its first axis is ours, the first index and the one after the last.
    """

    name: str
    shape: tuple[int, ...]
    path: tuple[str, ...]
    layer: int | None = None
    transposed: bool = False
    rows: tuple[int, int] | None = None

    @property
    def target(self) -> str:
        """The name of our array."""
        return ".".join(self.path)


class Family(ABC):
    """One family: its chat template, its tokenizer, its published files and sizes."""

    title: ClassVar[str]
    """Its name in messages."""
    sizes: ClassVar[Mapping[str, Size]]
    """Name -> published model; FAMILY-NAME is an argument of a config ("llama2-70b")."""
    bos: ClassVar[str]
    """The token that begins every sequence."""
    end: ClassVar[str]
    """The token that ends an answer; the first of `stops`."""
    stops: ClassVar[tuple[str, ...]]
    """Tokens that end a generated answer."""
    leading_space: ClassVar[bool]
    """Whether a text is encoded with SentencePiece's leading space."""
    trims: ClassVar[bool]
    """Whether the template strips white space from both ends of a turn's text."""

    @property
    def name(self) -> str:
        """The name of its file."""
        return type(self).__module__.rsplit(".", 1)[-1]

    @abstractmethod
    def turn(self, previous: Role | None, role: Role) -> tuple[Piece, ...]:
        """The template between the turns of `previous` (None at the start) and `role`.

        An answer ends with `end`, so nothing here ends the assistant's turn.
        """

    def comparable(self, rendered: str) -> str:
        """A published template's rendering without the parts that we omit on purpose."""
        return rendered

    @abstractmethod
    def open_tokenizer(self, path: Path) -> TokenizerModel:
        """Raises InputError if the file is missing or not a tokenizer of this family."""

    @abstractmethod
    def read_config(self, directory: Path) -> LlamaConfig:
        """The architecture that a Hugging Face directory declares; other fields have defaults.

        Raises InputError if config.json is missing, broken or of another family.
        """

    @abstractmethod
    def check_config(self, directory: Path, config: LlamaConfig) -> None:
        """Raise InputError naming the first field of a directory's model that is not `config`'s."""

    @abstractmethod
    def config_json(self, config: LlamaConfig) -> dict[str, Any]:
        """A config.json that transformers 4 and 5 both read."""

    @abstractmethod
    def read_params(
        self, path: Path, params: Mapping[str, Any], vocabulary_size: int, mlp_width: int
    ) -> LlamaConfig:
        """The architecture that the params.json beside the developer's own files declares.

        Args:
            path: of params.json, for messages; params: its content.
            vocabulary_size, mlp_width: taken from the tensors.
        Raises:
            InputError: a field is missing or belongs to another family.
        """

    @abstractmethod
    def tensors(self, config: LlamaConfig) -> tuple[Tensor, ...]:
        """Every tensor of a checkpoint in Hugging Face's names, each exactly once; the layers of
        one kind of weight are adjacent and in order."""

    @abstractmethod
    def left_out(self, name: str, config: LlamaConfig) -> str | None:
        """Why a stored tensor that is not in `tensors` may be ignored; None if it may not."""
