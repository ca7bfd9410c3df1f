"""Tokenizer formats: SentencePiece's `tokenizer.model`, Hugging Face's `tokenizer.json`."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepdiff_jax.errors import InputError

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
"""The character that SentencePiece writes for a space."""

TIKTOKEN_LINE = re.compile(rb"[A-Za-z0-9+/]+=* \d+\r?\n")
"""A line of tiktoken's format: a token in base 64 and its rank."""


class SentencePiece:
    """A `tokenizer.model`; every text gets a leading space."""

    def __init__(self, path: Path):
        """Raises InputError if the file is missing or not a SentencePiece model."""
        import sentencepiece

        try:
            # Read here: the library takes names in UTF-8 only.
            content = path.read_bytes()
            if not content:  # which the library takes for no model at all
                raise RuntimeError("is empty")
            self._model = sentencepiece.SentencePieceProcessor(model_proto=content)
        except (OSError, RuntimeError) as error:
            raise InputError(f"{path}: not a SentencePiece model: {error}") from error
        self.path = path
        self.vocabulary_size: int = self._model.vocab_size()

    def encode(self, text: str) -> Sequence[int]:
        return self._model.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self._model.decode(ids)

    def special(self, name: str) -> int:
        found = self._model.piece_to_id(name)
        if not self._model.is_control(found):
            raise InputError(f"{self.path}: has no special token {name!r}")
        return found


class HuggingFace:
    """A `tokenizer.json`. The name of a special token within a text is encoded as plain text."""

    def __init__(self, path: Path, *, byte_level: bool):
        """Open a file with byte-level tokens (as GPT-2's), or one with SentencePiece's pieces.

        Args:
            byte_level: which of the two; the latter gets SentencePiece's normaliser, with a leading
                space in each text.
        Raises:
            InputError: the file is missing, not a tokenizer.json or of the other kind.
        """
        import tokenizers
        from tokenizers import normalizers

        try:
            text = path.read_text(encoding="utf-8")
            stored = json.loads(text)
            self._model = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises nothing more specific
            raise InputError(f"{path}: not a tokenizer.json: {error}") from error
        found = _is_byte_level(stored.get("pre_tokenizer"))
        if found != byte_level:
            kinds = {True: "byte-level BPE", False: "BPE of SentencePiece's pieces"}
            raise InputError(f"{path}: is {kinds[found]}, the family's is {kinds[byte_level]}")
        if not byte_level:
            # SentencePiece's leading space, whatever the text begins with. transformers 5 writes a
            # pre-tokenizer that omits it before a space.
            self._model.normalizer = normalizers.Sequence(
                [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
            )
            self._model.pre_tokenizer = None
        self._model.encode_special_tokens = True
        self.path = path
        self.vocabulary_size: int = self._model.get_vocab_size()

    def encode(self, text: str) -> Sequence[int]:
        return self._model.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        return self._model.decode(ids, skip_special_tokens=True)

    def special(self, name: str) -> int:
        found = self._model.token_to_id(name)
        if found is None:
            raise InputError(f"{self.path}: has no token {name!r}")
        return found


def is_tiktoken(path: Path) -> bool:
    """Whether a file is a vocabulary of tiktoken, as Meta's `tokenizer.model` of Llama-3 is."""
    try:
        with path.open("rb") as file:
            return all(TIKTOKEN_LINE.fullmatch(file.readline(4096)) for _ in range(2))
    except OSError:
        return False


def _is_byte_level(pre_tokenizer: Any) -> bool:
    if not isinstance(pre_tokenizer, dict):
        return False
    parts = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    return any(part.get("type") == "ByteLevel" for part in parts)
