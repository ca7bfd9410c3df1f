"""Greedy generation of many answers: finished rows are replaced by waiting ones.

Rows advance in one compiled loop. It returns whenever a few of them are done; their places are
taken by the next ones, so a long answer does not hold up the others (Orca, OSDI 2022).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stepdiff_jax.data.tokenizer import Tokenizer
from stepdiff_jax.inference.decoding import FIRST_BRANCH, PREFIX, State, advance, idle, insert
from stepdiff_jax.inference.requests import Group, Request, group_requests, latents_of, lay_out_rows
from stepdiff_jax.models.vclm import VCLM
from stepdiff_jax.sharding import whole_batches

REFILL = 4
"""A batch is refilled when this part of its rows is done: 1 / REFILL (ours)."""


class Answer(NamedTuple):
    """A generated answer, and how many tokens were read and written for it.

    prompt_tokens: tokens of the conversation up to the answer, latents included.
    new_tokens: tokens of the answer, without the end token.
    cut: whether the limit of new tokens ended it.
    """

    text: str
    prompt_tokens: int
    new_tokens: int
    cut: bool


def generate(
    model: VCLM,
    tokenizer: Tokenizer,
    requests: Sequence[Request],
    latents: np.ndarray | None = None,
    *,
    new_tokens: int = 64,
    batch_rows: int = 16,
    branches: int = 4,
) -> list[Answer]:
    """The greedy answer to each request, in order; at most `new_tokens` tokens.

    Args:
        latents: [clips, latents, E] of the clips that the requests show; None for text alone.
        batch_rows: rows per batch; branches: how many requests of equal prefix may share a row.
    Raises:
        InputError: a request shows a clip that has no latents.
    """
    clips = latents_of(latents, model.llama.config.width)
    groups = group_requests(requests, tokenizer, latents, branches)
    by_length: dict[int, list[Group]] = defaultdict(list)
    for group in groups:
        by_length[group.rounded_length].append(group)
    answers: dict[int, Answer] = {}
    for waiting in by_length.values():
        batch = ContinuousBatch(
            model,
            tokenizer,
            clips,
            waiting,
            new_tokens=new_tokens,
            batch_rows=batch_rows,
            branches=branches,
        )
        answers |= batch.run()
    return [answers[number] for number in range(len(requests))]


class ContinuousBatch:
    """The rows of one length that are being answered, and those that wait."""

    def __init__(
        self,
        model: VCLM,
        tokenizer: Tokenizer,
        latents: np.ndarray,
        waiting: Sequence[Group],
        *,
        new_tokens: int,
        batch_rows: int,
        branches: int,
    ):
        """`waiting`: groups of one rounded length; otherwise as `generate`."""
        self.model, self.tokenizer, self.latents = model, tokenizer, latents
        self.length, self.waiting = waiting[0].rounded_length, list(reversed(waiting))
        self.videos = max(1, max(len(group.example.clips) for group in waiting))
        rows = whole_batches(model.llama, batch_rows)
        self.places: list[Group | None] = [None] * rows
        self.refill = whole_batches(model.llama, max(1, batch_rows // REFILL))
        self.ends = np.array(tokenizer.stops, np.int32)
        self.state: State = idle(
            model, batch=rows, length=self.length, branches=branches, new_tokens=new_tokens
        )

    def run(self) -> dict[int, Answer]:
        """Request -> its answer, for all waiting groups."""
        answers: dict[int, Answer] = {}
        while self.waiting or any(self.places):
            while self.waiting and None in self.places:
                self._insert()
            # Without any that wait, all must end; otherwise a few, or as many as there are.
            more = min(self.refill, len(self.waiting)) or len(self.places)
            self.state, done, output = advance(self.model, self.state, np.int32(more), self.ends)
            tokens, done = np.asarray(output), np.asarray(done)
            for place, group in enumerate(self.places):
                if group is not None and done[place]:
                    for branch, request in enumerate(group.requests):
                        answers[request] = self._answer(group, branch, tokens[place, branch])
                    self.places[place] = None
        return answers

    def _insert(self) -> None:
        free = [place for place, group in enumerate(self.places) if group is None]
        where = free[: min(self.refill, len(self.waiting))]
        groups = [self.waiting.pop() for _ in where]
        for place, group in zip(where, groups):
            self.places[place] = group
        rows, shown = lay_out_rows(
            [group.example for group in groups],
            self.refill,
            self.length,
            self.videos,
            self.latents.shape[1],
        )
        nowhere = [len(self.places)] * (self.refill - len(where))
        self.state = insert(
            self.model,
            self.state,
            rows,
            self.latents[shown],
            np.array(where + nowhere, np.int32),
            self.ends,
        )

    def _answer(self, group: Group, branch: int, ids: np.ndarray) -> Answer:
        stops = np.flatnonzero(np.isin(ids, self.ends))
        length = int(stops[0]) if len(stops) else len(ids)
        text = self.tokenizer.decode(ids[:length].tolist()).strip()
        read = np.isin(group.example.rows.segment, (PREFIX, FIRST_BRANCH + branch))
        return Answer(text, int(read.sum()), length, cut=not len(stops))
