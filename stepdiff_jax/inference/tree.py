"""Questions laid out as trees: what several of them begin with is run once (ours).

A reference's part is shared by its candidates, a pair's by its questions, and a question's by the
answers whose likelihoods are wanted. Every text is tokenised separately (`in_template`), so a tree
may branch between any two parts without changing a token. A row holds one or several trees: each
node is a segment, and a query sees its own segment and those above it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from stepdiff_jax.data.chat import Rendered, in_template
from stepdiff_jax.data.prompts import Conversation, Text, Video
from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.families.common.base import Special
from stepdiff_jax.inference.requests import Request


class Tokens(NamedTuple):
    """The tokens of one part: int32 [n], and the clip that they show, or -1."""

    ids: np.ndarray
    clip: int = -1


@dataclass(eq=False)
class Node:
    """A part of one or several questions, and what follows it.

    depth: number of nodes above it; position: rotary position of its first token.
    """

    tokens: Tokens
    parent: "Node | None"
    position: int
    children: "dict[Rendered, Node]" = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The position after its last token."""
        return self.position + len(self.tokens.ids)

    def path(self) -> "list[Node]":
        """The nodes from the root to this one."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]


class Leaf(NamedTuple):
    """An answer: the requests that want it, the node that it follows, its tokens int32 [n]."""

    requests: list[int]
    last: Node
    answer: np.ndarray


class Forest:
    """The trees of many requests."""

    def __init__(self, requests: Sequence[Request], tokenizer: Tokenizer, latents: int):
        """`latents`: number of tokens per clip. Raises ValueError if a request has no answer."""
        self._tokenizer = tokenizer
        self._slot = np.zeros(latents, np.int32)
        self._texts: dict[Rendered, np.ndarray] = {}
        self.root = Node(Tokens(np.array([tokenizer.bos], np.int32)), None, 0)
        self._leaves: dict[Node, dict[Rendered, Leaf]] = {}
        for number, request in enumerate(requests):
            node = self.root
            if not request.answer:
                raise ValueError(f"request {number} has no answer whose likelihood could be wanted")
            *parts, answer = self._parts(request)
            for part in parts:
                if part not in node.children:
                    node.children[part] = Node(self._tokens(part), node, node.end)
                node = node.children[part]
            leaves = self._leaves.setdefault(node, {})
            if answer not in leaves:
                leaves[answer] = Leaf([], node, self._tokens(answer).ids)
            leaves[answer].requests.append(number)

    def leaves(self) -> Iterator[Leaf]:
        """All leaves, those of one node together, in the order of the trees (depth first)."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield from self._leaves.get(node, {}).values()
            waiting += reversed(node.children.values())

    def _parts(self, request: Request) -> list[Rendered]:
        conversation = Conversation(request.conversation.prefix, (request.branch,))
        chat = in_template(conversation, self._tokenizer.family)
        return [*chat.prefix, *chat.branches[0]]

    def _tokens(self, part: Rendered) -> Tokens:
        if isinstance(part, Video):
            return Tokens(self._slot, part.clip)
        if part not in self._texts:
            self._texts[part] = np.array(self._encode(part), np.int32)
        return Tokens(self._texts[part])

    def _encode(self, part: Text | Special) -> list[int]:
        if isinstance(part, Special):
            return [self._tokenizer.special(part.name)]
        return [*self._tokenizer.encode(part.text), *([self._tokenizer.eos] * part.end)]


@dataclass
class Row:
    """Leaves that share a row, and the nodes above them, each once and after its parent."""

    leaves: list[Leaf] = field(default_factory=list)
    nodes: dict[Node, None] = field(default_factory=dict)
    tokens: int = 0

    def cost(self, leaf: Leaf) -> int:
        """Tokens that the leaf would add, without its last, which predicts nothing."""
        new = sum(len(one.tokens.ids) for one in leaf.last.path() if one not in self.nodes)
        return new + max(0, len(leaf.answer) - 1)

    def add(self, leaf: Leaf) -> None:
        """Add a leaf and the nodes above it."""
        self.tokens += self.cost(leaf)
        for node in leaf.last.path():
            self.nodes.setdefault(node)
        self.leaves.append(leaf)

    @property
    def clips(self) -> list[int]:
        """Clips in the order of their nodes."""
        return [node.tokens.clip for node in self.nodes if node.tokens.clip >= 0]

    @property
    def answers(self) -> int:
        """Tokens whose likelihoods are wanted."""
        return sum(len(leaf.answer) for leaf in self.leaves)


def fill_rows(forest: Forest, row_tokens: int) -> list[Row]:
    """Rows of at most `row_tokens` tokens, or of one longer leaf, in the order of the trees."""
    rows: list[Row] = []
    for leaf in forest.leaves():
        if not rows or rows[-1].tokens + rows[-1].cost(leaf) > row_tokens:
            rows.append(Row())
        rows[-1].add(leaf)
    return rows
