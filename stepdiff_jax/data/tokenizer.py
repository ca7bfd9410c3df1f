"""A language model's tokenizer, by the rules of its family; and training of a small one."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

from stepdiff_jax.errors import InputError
from stepdiff_jax.families.common.find import find_family

PADDING = 255
"""The most rows that an embedding may have beyond the tokenizer's tokens: published ones are padded
to a multiple of up to 256 (ours)."""


class Tokenizer:
    """A tokenizer file, opened by the rules of its family.

    Every text is encoded separately and without special tokens; "</s>" or "<|eot_id|>" within a
    text is plain text. Special tokens come only from the family's chat template (`chat.py`).

    bos: id of the token that begins every sequence; eos: id of the token that ends an answer.
    stops: ids of all tokens that end a generated answer, `eos` first.
    """

    def __init__(self, path: str | Path, family: str = "llama2"):
        """Raises InputError if the file is missing or not a tokenizer of the family."""
        self.path = Path(path)
        self.family = find_family(family)
        self._model = self.family.open_tokenizer(self.path)
        self.vocabulary_size = self._model.vocabulary_size
        try:
            self.bos = self.special(self.family.bos)
            self.stops = tuple(map(self.special, self.family.stops))
        except InputError as error:
            raise InputError(f"{error}, so it is not {self.family.title}'s") from error
        self.eos = self.special(self.family.end)
        # Conversations repeat their system text and questions: encode each text once.
        self._cached = functools.lru_cache(maxsize=65536)(self._encode)

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._model.encode(text))

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, without BOS and EOS."""
        return self._cached(text)

    def special(self, name: str) -> int:
        """The id of a special token; InputError if the file has none of that name."""
        return self._model.special(name)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens and ids that the file does not have."""
        return self._model.decode([int(token) for token in ids if token < self.vocabulary_size])

    def require_vocabulary(self, size: int) -> None:
        """Raise InputError unless the language model's embedding has a row for each token.

        It may have up to `PADDING` more: many are padded for the hardware's sake.
        """
        if not 0 <= size - self.vocabulary_size <= PADDING:
            raise InputError(
                f"{self.path}: a tokenizer of {self.vocabulary_size} tokens, but "
                f"llama.vocabulary_size is {size}"
            )


def train_tokenizer(texts: Iterable[str], path: Path, vocabulary_size: int) -> Tokenizer:
    """Train a BPE model like Llama-2's: byte fallback, no normalisation, digits split.

    Args:
        path: the `.model` file to write.
        vocabulary_size: number of tokens, including 256 bytes and three special tokens.
    """
    import io

    import sentencepiece

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
