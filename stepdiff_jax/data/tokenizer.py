"""SentencePiece tokenizers: Llama-2's, or one that a small world trains for itself."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import sentencepiece

from stepdiff_jax.errors import InputError


class Tokenizer:
    """A SentencePiece model with Llama's conventions.

    Every text is encoded by itself, with SentencePiece's leading space and without special
    tokens; whoever builds a sequence adds `bos` and `eos`.
    """

    def __init__(self, path: str | Path):
        """Raises InputError where the file is missing or is no SentencePiece model."""
        self.path = Path(path)
        try:
            self._model = sentencepiece.SentencePieceProcessor(model_file=str(self.path))
        except (OSError, RuntimeError) as error:
            raise InputError(f"{self.path}: not a SentencePiece model: {error}") from error
        self.vocabulary_size: int = self._model.vocab_size()
        self.bos: int = self._model.bos_id()
        self.eos: int = self._model.eos_id()
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
