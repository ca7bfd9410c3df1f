"""Conversations in the chat template of a family of language models."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from stepdiff_jax.data.prompts import Conversation, Segment, Text, Turn, Video
from stepdiff_jax.families.common.base import Family, Role, Special

Rendered = Text | Video | Special
"""A part of a conversation as the language model reads it; each text is tokenised separately."""


@dataclass(frozen=True)
class Chat:
    """A rendered conversation: the shared prefix, and the branches that continue it."""

    prefix: tuple[Rendered, ...]
    branches: tuple[tuple[Rendered, ...], ...]


def in_template(conversation: Conversation, family: Family) -> Chat:
    """Replace each turn by the text that the family's template has for it.

    Template text is joined with the texts on either side, because the family's own conversations
    tokenise them together; but an answer stays a separate text, whose tokens are exactly those
    that are scored, generated and trained on. Other texts are never joined.

    Raises:
        InputError: the template has no such turn after the previous one.
    """
    writer = _Writer(family)
    prefix = tuple(writer.write(conversation.prefix))
    spoken = writer.role
    branches = []
    for branch in conversation.branches:
        writer.role = spoken
        branches.append(tuple(writer.write(branch)))
    return Chat(prefix, tuple(branches))


@dataclass(frozen=True)
class _Piece:
    """A rendered part. template: it is joined with adjacent texts; alone: it is never joined."""

    part: Rendered
    template: bool = False
    alone: bool = False


class _Writer:
    """Tracks whose turn it is, across the split between a prefix and its branches."""

    def __init__(self, family: Family):
        self.family = family
        self.role: Role | None = None

    def write(self, segments: Sequence[Segment]) -> Iterator[Rendered]:
        return _joined(self._pieces(segments))

    def _pieces(self, segments: Sequence[Segment]) -> Iterator[_Piece]:
        begins = False
        for segment, following in zip(segments, (*segments[1:], None)):
            if isinstance(segment, Turn):
                for piece in self.family.turn(self.role, segment.role):
                    plain = isinstance(piece, str)
                    yield _Piece(Text(piece) if isinstance(piece, str) else piece, template=plain)
                self.role, begins = segment.role, True
                continue
            alone = not isinstance(segment, Text)
            if isinstance(segment, Text):
                alone = self.role == "assistant" or segment.loss_weight > 0 or segment.end
                if self.family.trims and self.role is not None:
                    segment = _trimmed(segment, begins, isinstance(following, Turn))
            yield _Piece(segment, alone=alone)
            begins = False


def _trimmed(text: Text, begins: bool, ends: bool) -> Text:
    """The text without white space at the start and the end of its turn."""
    stripped = text.text.lstrip() if begins else text.text
    return replace(text, text=stripped.rstrip() if ends or text.end else stripped)


def _joined(pieces: Iterable[_Piece]) -> Iterator[Rendered]:
    """Join template text with adjacent texts."""
    held: _Piece | None = None
    for piece in pieces:
        if held is not None and _join(held, piece):
            text = Text(_text(held) + _text(piece))
            held = _Piece(text, template=piece.template)
            continue
        if held is not None:
            yield held.part
        held = piece
    if held is not None:
        yield held.part


def _join(first: _Piece, second: _Piece) -> bool:
    texts = isinstance(first.part, Text) and isinstance(second.part, Text)
    return texts and not (first.alone or second.alone) and (first.template or second.template)


def _text(piece: _Piece) -> str:
    assert isinstance(piece.part, Text)
    return piece.part.text
