"""Makes a stage try its quarantined records again (`--retry-quarantined`); ours."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from data_prep.schema.line import Row
from data_prep.schema.stages import Origin
from data_prep.stage.files import (
    Entry,
    digest_of,
    read_journal,
    read_object,
    require_same_settings,
    write_journal,
)
from data_prep.stage.shards import Shard
from stepdiff_jax.errors import InputError


def reopen(
    keys: Sequence[str],
    rows: Sequence[Row],
    key_of: Callable[[Row], str],
    destination: Path,
    shard: Shard,
    origin: Origin,
    result_of: Callable[[Row], Row] | None,
) -> None:
    """Turn the files of a stage into those of an unfinished one that lacks what was quarantined.

    Quarantined rows may have changed since, as when a missing file is there now.

    Args:
        keys, rows: the shard's rows and their keys, in order.
        key_of: the key of a row, or of its quarantine line.
        result_of: the result that a line of the output holds; None: all rows are done again.
    Raises:
        InputError: the output was made with other settings, or from other input.
    """
    journal = shard.path(destination, ".part")
    report = shard.path(destination, ".summary.json")
    if not report.exists():
        done = read_journal(journal, origin)
        if any(rejected for rejected, _ in done.values()):
            write_journal(journal, origin, {key: one for key, one in done.items() if not one[0]})
        return
    found = read_object(report, report.read_text(encoding="utf-8"))
    require_same_settings(report, found, origin)
    rejected = _rejected(shard.path(destination, ".quarantine.jsonl"), key_of)
    if not rejected and Origin.of(found).input == origin.input:
        return
    kept: dict[str, Entry] = {}
    if result_of is not None:
        _require_kept(report, found, keys, rows, rejected)
        lines = _lines(shard.path(destination, ".jsonl"))
        left = [key for key in keys if key not in rejected]
        if len(lines) != len(left):
            raise InputError(
                f"{shard.path(destination, '.jsonl')}: has {len(lines)} lines, not {len(left)} as "
                "its summary says"
            )
        kept = {key: (False, result_of(line)) for key, line in zip(left, lines)}
    write_journal(journal, origin, kept)
    report.unlink()


def forget_quarantined(destination: Path) -> bool:
    """Let a stage that costs little do everything again, if it has quarantined something.

    Returns:
        whether it has.
    """
    quarantine = destination.with_suffix(".quarantine.jsonl")
    found = quarantine.exists() and quarantine.stat().st_size > 0
    if found:
        destination.with_suffix(".summary.json").unlink(missing_ok=True)
    return found


def _require_kept(
    report: Path,
    found: Row,
    keys: Sequence[str],
    rows: Sequence[Row],
    rejected: Mapping[str, Row],
) -> None:
    """Raise InputError if any other than the rejected rows has changed."""
    before = [
        {name: rejected[key][name] for name in row if name in rejected[key]}
        if key in rejected
        else row
        for key, row in zip(keys, rows)
    ]
    if Origin.of(found).input != digest_of(before):
        raise InputError(
            f"{report}: was made from other input, and not only the quarantined records differ; "
            "choose another destination, or delete it"
        )


def _rejected(path: Path, key_of: Callable[[Row], str]) -> dict[str, Row]:
    """Key -> quarantine line; without lines about parts of a record that was not rejected."""
    found = {}
    for line in _lines(path):
        try:
            found[key_of(line)] = line
        except msgspec.ValidationError:
            continue
    return found


def _lines(path: Path) -> Sequence[Row]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
