"""The question stage: a language model writes questions about pairs of clips (section 3.2)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data_prep.schema.line import Row, stream_lines
from data_prep.schema.text import (
    Answered,
    DescribedClip,
    DescribedPair,
    Descriptions,
    PairEnds,
    Question,
    QuestionCost,
    QuestionCounts,
    Unanswered,
    UnreadAnswer,
)
from data_prep.stage import Rejected, Shard, passed_on, run_stage
from data_prep.text.language_models.base import (
    Completion,
    LanguageModel,
    LanguageModelError,
    Prompt,
)
from data_prep.text.question.answers import parse_questions
from stepdiff_jax.errors import InputError

PROMPT = (
    "Video 1: {reference}. Video 2: {candidate}. Summarize the differences and generate 3 "
    "question-answer pairs comparing the two videos."
)
"""The paper's words (section 3.2)."""

FORMAT = "\nWrite each pair as two lines, one that starts with Q: and one that starts with A:."
"""Ours: the paper does not say how it read the pairs."""

RETRY = "\nYour last answer could not be read ({error}). It was:\n{answer}\nWrite it again."
"""Ours; appended to the same prompt."""

QUESTIONS = 3
_LONGEST_RETRY = 2000


def question_prompt(reference: str, candidate: str) -> str:
    """The paper's prompt about two step descriptions, with our line on the format."""
    texts = (text.strip().rstrip(".") for text in (reference, candidate))
    return PROMPT.format(**dict(zip(("reference", "candidate"), texts))) + FORMAT


def ask_questions(
    model: LanguageModel, pairs: Sequence[DescribedPair], *, attempts: int = 2
) -> Iterator[Answered | Rejected]:
    """Yield one result per pair: the questions, the model's raw text, and its cost.

    If an answer cannot be parsed, asks again with the error, up to `attempts` times in total.
    """
    prompts = [_prompt(pair) for pair in pairs]
    results: dict[int, Answered | Rejected] = {}
    costs = [QuestionCost() for _ in pairs]
    waiting = dict(enumerate(prompts))
    for attempt in range(1, attempts + 1):
        again: dict[int, Prompt] = {}
        for index, reply in zip(waiting, model.complete(list(waiting.values()))):
            cost = costs[index] = _with_call(costs[index], reply)
            if isinstance(reply, LanguageModelError):
                results[index] = Rejected(
                    "no answer of the language model", str(reply), Unanswered(cost)
                )
                continue
            try:
                found = parse_questions(reply.text, QUESTIONS)
            except InputError as error:
                results[index] = Rejected(
                    "answer cannot be read", str(error), UnreadAnswer(reply.text, cost)
                )
                again[index] = _retry(prompts[index], error, reply)
                continue
            results[index] = Answered([Question(*one) for one in found], reply.text, cost)
        waiting = again
        if not waiting or attempt == attempts:
            break
    yield from (results[index] for index in range(len(pairs)))


def write_questions(
    pairs: Path,
    descriptions: Path,
    destination: Path,
    model: LanguageModel,
    *,
    shard: Shard,
    settings: Mapping[str, Any],
    attempts: int = 2,
) -> dict[str, Any]:
    """Run the question stage: pairs.jsonl and descriptions.jsonl -> `destination`; its summary.

    Pairs with a clip without a description are quarantined.

    Raises:
        InputError: a file cannot be read, or a line lacks a field.
    """
    known = {clip.clip: clip.description for _, clip in stream_lines(descriptions, DescribedClip)}
    return run_stage(
        _rows(pairs, known),
        DescribedPair,
        partial(_work, model, attempts),
        destination,
        shard=shard,
        settings={**settings, "prompt": PROMPT + FORMAT, "attempts": attempts},
        counts=lambda row: QuestionCounts.of(row).counts(),
        lines=passed_on,
    )


def _rows(pairs: Path, known: Mapping[str, str]) -> list[Row]:
    """The pairs, each with both descriptions."""
    rows = []
    for line, pair in stream_lines(pairs, PairEnds):
        texts = Descriptions(known.get(pair.reference, ""), known.get(pair.candidate, ""))
        rows.append({**line.fields, **texts.row()})
    return rows


def _work(
    model: LanguageModel, attempts: int, pairs: Sequence[DescribedPair]
) -> Iterator[Answered | Rejected]:
    described = [pair for pair in pairs if pair.undescribed() is None]
    results = ask_questions(model, described, attempts=attempts)
    for pair in pairs:
        clip = pair.undescribed()
        yield next(results) if clip is None else Rejected("clip has no description", clip)


def _prompt(pair: DescribedPair) -> Prompt:
    text = question_prompt(pair.reference_description, pair.candidate_description)
    return Prompt(text, facts=pair.clips())


def _retry(prompt: Prompt, error: InputError, reply: Completion) -> Prompt:
    complaint = RETRY.format(error=error, answer=reply.text[:_LONGEST_RETRY])
    return Prompt(prompt.user + complaint, prompt.system, prompt.facts)


def _with_call(cost: QuestionCost, reply: Completion | LanguageModelError) -> QuestionCost:
    asked, answered = (
        (0, 0)
        if isinstance(reply, LanguageModelError)
        else (reply.prompt_tokens, reply.completion_tokens)
    )
    return QuestionCost(
        cost.prompt_tokens + asked, cost.completion_tokens + answered, cost.calls + 1
    )
