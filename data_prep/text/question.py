"""Questions and answers about pairs of described clips, from a language model (section 3.2)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data_prep.stage import Rejected, Row, Shard, pair_key, run_stage
from data_prep.text.answers import parse_questions
from data_prep.text.language_models.base import (
    Completion,
    LanguageModel,
    LanguageModelError,
    Prompt,
)
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import read_jsonl

PROMPT = (
    "Video 1: {reference}. Video 2: {candidate}. Summarize the differences and generate 3 "
    "question-answer pairs comparing the two videos."
)
"""The paper's words (section 3.2)."""

FORMAT = "\nWrite each pair as two lines, one that starts with Q: and one that starts with A:."
"""Ours: the paper does not say how it read the pairs."""

RETRY = "\nYour last answer could not be read ({error}). It was:\n{answer}\nWrite it again."
"""Ours; behind the same prompt."""

QUESTIONS = 3
_LONGEST_RETRY = 2000


def question_prompt(reference: str, candidate: str) -> str:
    """The paper's prompt about two step descriptions, with our line on the form."""
    texts = (text.strip().rstrip(".") for text in (reference, candidate))
    return PROMPT.format(**dict(zip(("reference", "candidate"), texts))) + FORMAT


def ask_questions(
    model: LanguageModel, rows: Sequence[Row], *, attempts: int = 2
) -> Iterator[Row | Rejected]:
    """One result for each row that has reference, candidate and both descriptions.

    A row gets `questions`, the model's own text as `raw`, and the tokens it cost. Answers that
    cannot be read are asked for again, with the error, up to `attempts` times in all.
    """
    prompts = [_prompt(row) for row in rows]
    results: dict[int, Row | Rejected] = {}
    costs = [{"prompt_tokens": 0, "completion_tokens": 0, "calls": 0} for _ in rows]
    waiting = dict(enumerate(prompts))
    for attempt in range(1, attempts + 1):
        again: dict[int, Prompt] = {}
        for place, reply in zip(waiting, model.complete(list(waiting.values()))):
            costs[place]["calls"] += 1
            if isinstance(reply, LanguageModelError):
                results[place] = Rejected(
                    "no answer of the language model", str(reply), {"cost": costs[place]}
                )
                continue
            _add_cost(costs[place], reply)
            try:
                pairs = parse_questions(reply.text, QUESTIONS)
            except InputError as error:
                results[place] = Rejected(
                    "answer cannot be read", str(error), {"raw": reply.text, "cost": costs[place]}
                )
                again[place] = _retry(prompts[place], error, reply)
                continue
            results[place] = {
                **rows[place],
                "questions": [{"question": q, "answer": a} for q, a in pairs],
                "raw": reply.text,
                "cost": costs[place],
            }
        waiting = again
        if not waiting or attempt == attempts:
            break
    yield from (results[place] for place in range(len(rows)))


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
    """The question stage: pairs.jsonl and descriptions.jsonl -> `destination`; its summary.

    A pair with a clip that has no description is quarantined.

    Raises:
        InputError: a file cannot be read, or a line lacks a field.
    """
    known = {line.string("clip"): line.string("description") for line in read_jsonl(descriptions)}
    rows = []
    for line in read_jsonl(pairs):
        row = dict(line.fields)
        for side in ("reference", "candidate"):
            row[f"{side}_description"] = known.get(line.string(side), "")
        rows.append(row)
    return run_stage(
        rows,
        pair_key,
        partial(_work, model, attempts),
        destination,
        shard=shard,
        settings={**settings, "prompt": PROMPT + FORMAT, "attempts": attempts},
        counts=lambda row: {"questions": len(row.get("questions", ())), **row.get("cost", {})},
    )


def _work(model: LanguageModel, attempts: int, rows: Sequence[Row]) -> Iterator[Row | Rejected]:
    described = [
        row for row in rows if row["reference_description"] and row["candidate_description"]
    ]
    results = ask_questions(model, described, attempts=attempts)
    for row in rows:
        for side in ("reference", "candidate"):
            if not row[f"{side}_description"]:
                yield Rejected("clip has no description", row[side])
                break
        else:
            yield next(results)


def _prompt(row: Row) -> Prompt:
    text = question_prompt(row["reference_description"], row["candidate_description"])
    return Prompt(text, facts={side: row[side] for side in ("reference", "candidate")})


def _retry(prompt: Prompt, error: InputError, reply: Completion) -> Prompt:
    told = RETRY.format(error=error, answer=reply.text[:_LONGEST_RETRY])
    return Prompt(prompt.user + told, prompt.system, prompt.facts)


def _add_cost(cost: dict[str, int], reply: Completion) -> None:
    cost["prompt_tokens"] += reply.prompt_tokens
    cost["completion_tokens"] += reply.completion_tokens
