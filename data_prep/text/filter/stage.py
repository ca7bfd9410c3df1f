"""The filter stage: questions.jsonl -> pairs for training, with the questions kept and removed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from data_prep.schema.line import Row, stream_lines
from data_prep.schema.text import AskedPair, FilteredPair, Question, removed_question
from data_prep.stage import Rejected, Shard, passed_on, run_stage
from data_prep.text.filter.asked import Asked, Thresholds
from data_prep.text.filter.registry import RULES, objections
from stepdiff_jax.errors import InputError


def filter_questions(pair: AskedPair, thresholds: Thresholds, rules: Sequence[str]) -> FilteredPair:
    """Keep the questions that violate no rule; the others are `removed`."""
    kept: list[Row] = []
    removed: list[Row] = []
    earlier: tuple[tuple[str, str], ...] = ()
    for item in pair.questions:
        question = Question.of(item)
        said = question.question, question.answer
        texts = pair.reference_description, pair.candidate_description
        found = objections(Asked(*said, *texts, earlier), thresholds, rules)
        if found:
            removed.append(removed_question(item, found))
        else:
            kept.append(item)
            earlier += (said,)
    return FilteredPair(kept, removed)


def write_filtered(
    questions: Path,
    destination: Path,
    *,
    shard: Shard,
    thresholds: Thresholds,
    rules: Sequence[str] = tuple(RULES),
) -> dict[str, Any]:
    """Filter `questions`; pairs without remaining questions go to the quarantine file.

    Returns the summary, whose counts include `kept`, `removed` and `removed by RULE` (the first
    rule that a question violates).

    Raises:
        InputError: a rule is unknown, the file cannot be read, or a line lacks a field.
    """
    unknown = sorted(set(rules) - set(RULES))
    if unknown:
        raise InputError(f"--rules: unknown {unknown}; known: {', '.join(RULES)}")
    return run_stage(
        [dict(line.fields) for line, _ in stream_lines(questions, AskedPair)],
        AskedPair,
        partial(_work, thresholds, rules),
        destination,
        shard=shard,
        settings={"rules": list(rules), "thresholds": asdict(thresholds)},
        counts=lambda row: _counts(FilteredPair.of(row)),
        lines=passed_on,
        result_of=None,
    )


def _work(
    thresholds: Thresholds, rules: Sequence[str], pairs: Sequence[AskedPair]
) -> Iterator[FilteredPair | Rejected]:
    for pair in pairs:
        result = filter_questions(pair, thresholds, rules)
        if result.questions:
            yield result
        else:
            yield Rejected("no question is left", ", ".join(result.first_rules()), result)


def _counts(pair: FilteredPair) -> dict[str, int]:
    by_rule = Counter(f"removed by {rule}" for rule in pair.first_rules())
    return {"kept": len(pair.questions), "removed": len(pair.removed), **by_rule}
