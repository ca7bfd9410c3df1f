"""The filter stage: questions.jsonl -> the pairs that training reads, and what was removed."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from data_prep.stage import Rejected, Row, Shard, pair_key, run_stage
from data_prep.text.filter.rules import RULES, Asked, Thresholds, objections
from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import read_jsonl


def filter_questions(row: Row, thresholds: Thresholds, rules: Sequence[str]) -> Row:
    """The row with the questions that no rule speaks against; the others are its `removed`."""
    kept: list[Row] = []
    removed: list[Row] = []
    descriptions = row["reference_description"], row["candidate_description"]
    for item in row["questions"]:
        earlier = tuple((other["question"], other["answer"]) for other in kept)
        asked = Asked(item["question"], item["answer"], *descriptions, earlier)
        found = objections(asked, thresholds, rules)
        if found:
            removed.append({**item, "rules": found})
        else:
            kept.append(item)
    return {**row, "questions": kept, "removed": removed}


def write_filtered(
    questions: Path,
    destination: Path,
    *,
    shard: Shard,
    thresholds: Thresholds,
    rules: Sequence[str] = tuple(RULES),
) -> dict[str, Any]:
    """Filter `questions`; a pair with no question left goes to the quarantine file.

    Returns the summary; its counts hold `kept`, `removed` and `removed by RULE` (the first rule
    that speaks against a question counts).

    Raises:
        InputError: an unknown rule, a file that cannot be read, or a line that lacks a field.
    """
    unknown = sorted(set(rules) - set(RULES))
    if unknown:
        raise InputError(f"field 'rules': unknown {unknown}; there are {', '.join(RULES)}")
    rows = []
    for line in read_jsonl(questions):
        for name in ("reference", "candidate", "reference_description", "candidate_description"):
            line.string(name)
        for item in line.items("questions"):
            if not isinstance(item, dict) or not {"question", "answer"} <= item.keys():
                line.fail("questions", "must hold objects with question and answer", item)
        rows.append(dict(line.fields))
    return run_stage(
        rows,
        pair_key,
        partial(_work, thresholds, rules),
        destination,
        shard=shard,
        settings={"rules": list(rules), "thresholds": asdict(thresholds)},
        counts=_counts,
    )


def _work(
    thresholds: Thresholds, rules: Sequence[str], rows: Sequence[Row]
) -> Iterator[Row | Rejected]:
    for row in rows:
        result = filter_questions(row, thresholds, rules)
        if result["questions"]:
            yield result
        else:
            first = [next(iter(item["rules"])) for item in result["removed"]]
            yield Rejected("no question is left", ", ".join(first), result)


def _counts(row: Row) -> dict[str, int]:
    counts = {"kept": len(row["questions"]), "removed": len(row["removed"])}
    for item in row["removed"]:
        name = f"removed by {next(iter(item['rules']))}"
        counts[name] = counts.get(name, 0) + 1
    return counts
