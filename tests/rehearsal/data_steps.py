"""The stages of `stepdiff prep`, from the published files to the records that training reads."""

import json
from collections.abc import Callable
from pathlib import Path

from stepdiff_jax.evaluation.benchmark_files import TASKS
from tests.rehearsal.published.htstep import Published
from tests.rehearsal.served_model import dead_server, served_model
from tests.rehearsal.walk import Walk, require

RECORDS, DATA = Path("records"), Path("datasets/stepdiff")
BENCHMARK_RECORDS, BENCHMARK_DATA = Path("benchmark_records"), Path("datasets/benchmark")


def prepare(walk: Walk, published: Published) -> None:
    """From annotations, captions and videos to pairs with questions, sequences and frames."""
    clips = _clips(walk, published)
    frames = RECORDS / "frames.jsonl"
    walk.run(
        "frames",
        *("prep", "frames", "--clips", clips, "--destination", frames, "--processes", 2),
        check=whole(walk, clips, frames),
    )
    _questions(walk, published, clips)
    walk.run(
        "sequences",
        *("prep", "sequences", "--directory", RECORDS),
        check=counted(walk, RECORDS / "sequences.jsonl", RECORDS / "single.jsonl"),
    )
    walk.run("pack", "prep", "pack", "--source", RECORDS, "--destination", DATA, check=packed)
    walk.run(
        "inspect",
        *("prep", "inspect", "--source", RECORDS, "--destination", "inspect.html"),
        check=lambda _: f"{(walk.directory / 'inspect.html').stat().st_size >> 10} KiB of HTML",
    )


def prepare_benchmark(walk: Walk, published: Published) -> None:
    """The benchmark's own clips as a dataset, from the benchmark files and the videos alone."""
    for task in TASKS:
        file = published.benchmark / f"{task}_dataset.jsonl"
        if (walk.directory / file).exists():
            walk.run(
                "validate",
                *("prep", "validate", file, "--task", task),
                check=lambda out: f"{json.loads(out)['lines']} instances",
            )
    clips = BENCHMARK_RECORDS / "clips.jsonl"
    walk.run(
        "clips of the benchmark",
        *("prep", "clips", "--source", "benchmark", "--annotations", published.benchmark),
        *("--videos", published.videos, "--destination", BENCHMARK_RECORDS),
        check=counted(walk, clips),
    )
    frames = BENCHMARK_RECORDS / "frames.jsonl"
    walk.run(
        "frames of the benchmark",
        *("prep", "frames", "--clips", clips, "--destination", frames, "--processes", 2),
        check=whole(walk, clips, frames),
    )
    walk.run(
        "pack of the benchmark",
        *("prep", "pack", "--source", BENCHMARK_RECORDS, "--destination", BENCHMARK_DATA),
        check=packed,
    )


def _clips(walk: Walk, published: Published) -> Path:
    """Clips with narration from each of HowTo100M's three formats; returns those that go on."""
    clips = RECORDS / "clips.jsonl"
    captions = published.captions.parent
    for name, file, directory in (
        ("clips", published.captions, RECORDS),
        ("clips, sentences", captions / "sentencified_htm_1200k.json", Path("records_sentences")),
        ("clips, HTM-AA", captions / "htm_aa_v1.csv", Path("records_htm_aa")),
    ):
        walk.run(
            name,
            *("prep", "clips", "--htstep", published.htstep, "--captions", file),
            *("--videos", published.videos, "--destination", directory),
            check=_narrated(walk, directory / "clips.jsonl", clips),
        )
    return clips


def _questions(walk: Walk, published: Published, clips: Path) -> None:
    """Descriptions, pairs and questions by a served model, which at first is not running."""
    descriptions, pairs, questions, filtered = (
        RECORDS / f"{name}.jsonl" for name in ("descriptions", "pairs", "questions", "filtered")
    )
    benchmark = sorted((walk.directory / published.benchmark).glob("*_dataset.jsonl"))
    describe = ("prep", "describe", "--clips", clips, "--destination", descriptions)

    def nothing_recorded(error: str) -> str:
        for file in (descriptions, descriptions.with_name("descriptions.quarantine.jsonl")):
            path = walk.directory / file
            require(not path.exists() or not path.read_text(), f"{file}: a dead server is a result")
        require(len(error.strip().splitlines()) == 1, f"not one line: {error}")
        return "one line, nothing recorded"

    walk.fail(
        "describe, no server",
        *describe,
        *("--model.base-url", dead_server(), "--model.name", "llama"),
        check=nothing_recorded,
    )
    with served_model() as url:
        model = ("--model.base-url", url, "--model.name", "llama")
        walk.run("describe", *describe, *model, check=whole(walk, clips, descriptions))
        walk.run(
            "pair",
            *("prep", "pair", "--clips", clips, "--descriptions", descriptions),
            *("--destination", pairs, "--lowest", 0.1, "--exclude"),
            *(published.benchmark / file.name for file in benchmark),
            check=counted(walk, pairs),
        )
        walk.run(
            "question",
            *("prep", "question", "--pairs", pairs, "--descriptions", descriptions),
            *("--destination", questions, *model),
            check=whole(walk, pairs, questions),
        )
    walk.run(
        "filter",
        *("prep", "filter", "--questions", questions, "--destination", filtered),
        check=_some_removed(walk, filtered),
    )


def lines(path: Path) -> list[dict]:
    """The lines of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def counted(walk: Walk, *files: Path) -> Callable[[str], str]:
    """A check that each file has lines."""

    def check(_: str) -> str:
        counts = {file.name: len(lines(walk.directory / file)) for file in files}
        for name, count in counts.items():
            require(count > 0, f"{name}: no lines")
        return ", ".join(f"{count} in {name}" for name, count in counts.items())

    return check


def whole(walk: Walk, source: Path, result: Path) -> Callable[[str], str]:
    """A check that every line of `source` has its line in `result`."""

    def check(_: str) -> str:
        wanted, found = (len(lines(walk.directory / file)) for file in (source, result))
        require(found == wanted > 0, f"{result}: {found} lines of {wanted} in {source}")
        return f"{found} of {wanted} lines"

    return check


def packed(output: str) -> str:
    """A check of pack's output: something was packed."""
    found = output.strip().splitlines()
    require(bool(found), "pack says nothing")
    return "; ".join(line.split(": ", 1)[1] for line in found if ": " in line)


def _narrated(walk: Walk, file: Path, first: Path) -> Callable[[str], str]:
    def check(_: str) -> str:
        rows, others = lines(walk.directory / file), lines(walk.directory / first)
        require(len(rows) > 0, f"{file}: no clips")
        require([r["clip"] for r in rows] == [r["clip"] for r in others], f"{file}: other clips")
        narrated = sum(bool(row["narration"]) for row in rows)
        require(narrated > len(rows) // 2, f"{file}: {narrated} of {len(rows)} have narration")
        splits = sorted({row["split"] for row in rows})
        return f"{len(rows)} clips, {narrated} narrated, splits {', '.join(splits)}"

    return check


def _some_removed(walk: Walk, filtered: Path) -> Callable[[str], str]:
    def check(_: str) -> str:
        rows = lines(walk.directory / filtered)
        kept = sum(len(row["questions"]) for row in rows)
        removed = sum(len(row["removed"]) for row in rows)
        require(kept > 0 and removed > 0, f"{filtered}: {kept} questions kept, {removed} removed")
        return f"{kept} questions kept, {removed} removed"

    return check
