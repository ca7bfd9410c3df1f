"""Llama-2's tokenizer in either of its formats, or one that a small world trains for itself."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import sentencepiece
import tokenizers
from tokenizers import normalizers

from stepdiff_jax.errors import InputError

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
"""What SentencePiece writes for a space."""


class _Model(Protocol):
    vocabulary_size: int
    bos: int
    eos: int

    def encode(self, text: str) -> Sequence[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


class Tokenizer:
    """A `tokenizer.model` (SentencePiece) or `tokenizer.json` (Hugging Face), alike in all it does.

    Every text is encoded by itself, with SentencePiece's leading space and without special
    tokens; whoever builds a sequence adds `bos` and `eos`. "<s>" within a text is a text.

    Both formats give the same ids, but for one case: a tokenizer.json that transformers 5 makes of
    a tokenizer.model merges two spaces before all else, where Llama-2 does so last. Meta's own file
    is right.
    """

    def __init__(self, path: str | Path):
        """Raises InputError where the file is missing or is no such model."""
        self.path = Path(path)
        make = _HuggingFace if self.path.suffix == ".json" else _SentencePiece
        self._model: _Model = make(self.path)
        self.vocabulary_size = self._model.vocabulary_size
        self.bos, self.eos = self._model.bos, self._model.eos
        # Conversations repeat their system text and questions: encode each text once.
        self._cached = functools.lru_cache(maxsize=65536)(self._encode)

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._model.encode(text))

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, without BOS and EOS."""
        return self._cached(text)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; special tokens are left out."""
        return self._model.decode([int(token) for token in ids])

    def require_vocabulary(self, size: int) -> None:
        """Raise InputError unless the language model's embedding has a row for each token."""
        if self.vocabulary_size != size:
            raise InputError(
                f"{self.path}: a tokenizer of {self.vocabulary_size} tokens, but "
                f"llama.vocabulary_size is {size}"
            )


class _SentencePiece:
    def __init__(self, path: Path):
        try:
            self._model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            raise InputError(f"{path}: not a SentencePiece model: {error}") from error
        self.vocabulary_size: int = self._model.vocab_size()
        self.bos: int = self._model.bos_id()
        self.eos: int = self._model.eos_id()

    def encode(self, text: str) -> Sequence[int]:
        return self._model.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self._model.decode(ids)


class _HuggingFace:
    def __init__(self, path: Path):
        try:
            self._model = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing more specific
            raise InputError(f"{path}: not a tokenizer.json: {error}") from error
        # SentencePiece's leading space, whatever the text begins with. transformers 5 writes a
        # pre-tokenizer that leaves it out before a space.
        self._model.normalizer = normalizers.Sequence(
            [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
        )
        self._model.pre_tokenizer = None
        # Or a text that holds "</s>" would end the answer.
        self._model.encode_special_tokens = True
        self.vocabulary_size: int = self._model.get_vocab_size()
        self.bos, self.eos = (self._special(path, token) for token in ("<s>", "</s>"))

    def _special(self, path: Path, token: str) -> int:
        found = self._model.token_to_id(token)
        if found is None:
            raise InputError(f"{path}: has no token {token!r}, so it is not Llama-2's")
        return found

    def encode(self, text: str) -> Sequence[int]:
        return self._model.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        return self._model.decode(ids, skip_special_tokens=True)


def train_tokenizer(texts: Iterable[str], path: Path, vocabulary_size: int) -> Tokenizer:
    """Train a BPE model as Llama-2's was: byte fallback, no normalisation, digits split.

    Args:
        path: where the model goes (`.model`).
        vocabulary_size: tokens, with 256 bytes and three special tokens among them.
    """
    import io

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocabulary_size,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.getvalue())
    return Tokenizer(path)
