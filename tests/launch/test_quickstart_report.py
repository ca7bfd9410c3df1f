"""The quickstart's table and page, from a small rendered world with answers made up here."""

import io
import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from data_prep.frames.stage import write_frames
from data_prep.kitchen import language
from data_prep.kitchen.oracle import read_truth
from data_prep.kitchen.world import CATEGORIES, KEYSTEPS, score
from data_prep.kitchen.world_files import make_world
from data_prep.records.pack import pack
from data_prep.sources.clips import write_clips
from data_prep.sources.htstep import HtStep
from launch.quickstart import samples, table
from launch.quickstart.report import print_table, write_report
from launch.quickstart.report_rows import CEILING, CEILING_SHOWN, rows_of
from launch.quickstart.samples import Sample, choose, mark, predictions_path, read_samples
from stepdiff_jax.data.records import open_records
from stepdiff_jax.errors import InputError
from stepdiff_jax.evaluation.benchmark_files import (
    DiffCap,
    DiffMCQ,
    DiffRank,
    read_diffcap,
    write_jsonl,
)
from stepdiff_jax.evaluation.scoring import score_files
from stepdiff_jax.evaluation.tasks import benchmark_path
from stepdiff_jax.ran_on import machine, packages

SPLIT = "test"
VLEMBED = "VLEmbed (InternVideo)"
SECONDS = {"render": 41.2, "pack": 1063.0}


@pytest.fixture(scope="module")
def scenes_and_run(tmp_path_factory):
    """A run directory without predictions: two videos that hold all keysteps, and a benchmark."""
    directory = tmp_path_factory.mktemp("quickstart")
    world = directory / "world"
    make_world(world, videos={SPLIT: 2}, keysteps_per_video=8, seed=3, processes=1)
    (directory / "records").mkdir()
    write_clips(HtStep(world), world / "raw_caption.json", world / "videos", directory / "records")
    records = directory / "records"
    write_frames(records / "clips.jsonl", records / "frames.jsonl", processes=1)
    pack(directory / "records", directory / "data")
    scenes = table.scenes_of(read_truth(world / "truth.jsonl", SPLIT))
    pairs = [
        (first, second)
        for first in scenes
        for second in scenes
        if first != second and scenes[first].keystep == scenes[second].keystep
    ]
    captions, questions, rankings = [], [], []
    for number, (first, second) in enumerate(pairs):
        for category in CATEGORIES:
            text = language.difference_caption(scenes[first], scenes[second], category)
            if score(scenes[first], scenes[second], category) < 5:
                captions.append(DiffCap(first, second, category, (text,)))
            options = tuple(pairs[(number + shift) % len(pairs)] for shift in range(4))
            questions.append(DiffMCQ(text, category, options, options[number % 4]))
            rankings.append(DiffRank(first, (second,) * 4, category, (1, 2, 4, 5)))
    benchmark = directory / "benchmark" / SPLIT
    for task, rows in (("diffcap", captions), ("diffmcq", questions), ("diffrank", rankings)):
        write_jsonl(benchmark_path(benchmark, task), rows)
    for stage in ("interleaved", "stepdiff"):
        for seed in (0, 1):
            rows = [{"step": step, "loss": 4 / step} for step in range(1, 9)]
            write_jsonl(directory / stage / f"seed{seed}" / "metrics.jsonl", rows)
    return scenes, directory


@pytest.fixture(scope="module")
def run(scenes_and_run) -> tuple[dict, Path]:
    """`results.json` and its directory; StepDiff answers rightly, Untrained not at all."""
    scenes, directory = scenes_and_run
    benchmark = directory / "benchmark" / SPLIT
    instances = read_diffcap(benchmark_path(benchmark, "diffcap"))
    others = sum(1 for _ in benchmark_path(benchmark, "diffmcq").open())
    texts = {
        "Untrained": [""] * len(instances),
        "StepDiff": [one.text[0] for one in instances],
        CEILING: [one.text[0] for one in instances],
    }
    scores = {"Untrained": [0, 0, 0, 0], "StepDiff": [1, 2, 3, 4], VLEMBED: [1, 2, 4, 3]}
    systems: dict[str, dict] = {}
    for system, seeds in (("Untrained", 2), ("StepDiff", 2), (VLEMBED, 1), (CEILING, 1)):
        for seed in range(seeds):
            predictions = predictions_path(directory, SPLIT, system, seed)
            rows = [{"scores": scores.get(system, [1, 2, 3, 4])}] * others
            answers = {"diffmcq": rows, "diffrank": rows}
            if system in texts:
                wrong = ["", *texts[system][1:]] if seed else texts[system]
                answers["diffcap"] = [{"generated_text": text} for text in wrong]
            measured = {}
            for task, lines in answers.items():
                path = predictions / f"{task}.jsonl"
                write_jsonl(path, lines)
                measured[task] = score_files(task, benchmark_path(benchmark, task), path)
            flat = {m: found[m] for found in measured.values() for m in table.METRICS if m in found}
            if "diffcap" in answers:
                flat |= table.caption_attributes(benchmark, predictions / "diffcap.jsonl", scenes)
            systems.setdefault(system, {})[str(seed)] = {"metrics": flat, "tasks": measured}
    counts = {"diffcap": len(instances), "diffmcq": others, "diffrank": others}
    results = {
        "split": SPLIT,
        "systems": systems,
        "counts": {"benchmark": {SPLIT: counts}},
        "seeds": [0, 1],
        "seconds": SECONDS,
        "versions": packages(),
        "machine": machine(),
        "options": {"train_videos": 640},
    }
    return json.loads(json.dumps(results, allow_nan=False)), directory


class Page(HTMLParser):
    """Checks that elements nest; collects text, images, and what the page would load."""

    VOID = ("meta", "img", "br")

    def __init__(self, document: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.images: list[bytes] = []
        self.loads: list[str] = []
        self.texts: list[str] = []
        self.feed(document)
        self.close()
        assert not self.open
        self.text = " ".join(self.texts)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "img":
            kind, data = values["src"].split(",")
            assert kind == "data:image/jpeg;base64"
            self.images.append(b64decode(data, validate=True))
        elif "src" in values or tag in ("link", "script", "iframe"):
            self.loads.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    handle_comment = handle_data  # matplotlib's drawings of text carry it in comments


@pytest.fixture(scope="module")
def report(run) -> Page:
    results, directory = run
    path = write_report(results, directory)
    assert path == directory / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def terminal(results) -> str:
    console = Console(width=80, file=io.StringIO(), color_system=None)
    print_table(results, console)
    return console.file.getvalue()


def test_rows_hold_the_numbers_of_the_results(run):
    results, _ = run
    rows = {row.system: row for row in rows_of(results)}
    assert list(rows) == ["Untrained", "StepDiff", VLEMBED, CEILING_SHOWN]
    for system in ("StepDiff", VLEMBED):
        assert rows[system].runs == [
            measured["metrics"] for measured in results["systems"][system].values()
        ]
    assert [row.apart for row in rows.values()] == [False, False, False, True]


def test_an_undefined_tau_counts_as_zero_and_is_marked(run):
    results, _ = run
    assert results["systems"]["Untrained"]["0"]["metrics"]["ktau"] is None
    untrained = rows_of(results)[0]
    assert [one["ktau"] for one in untrained.runs] == [0.0, 0.0]
    assert untrained.marks == {"ktau": "†"}
    shown = terminal(results)
    assert ".000†" in shown
    lines = 2 * results["counts"]["benchmark"][SPLIT]["diffrank"]
    assert f"Lines over all seeds: Untrained {lines}." in " ".join(shown.split())


def test_the_terminal_shows_numbers_places_and_dashes(run):
    results, _ = run
    shown = terminal(results)
    assert max(map(len, shown.splitlines())) <= 80
    table_lines = shown.split("StepDiff is")[0].splitlines()
    lines = {line.split()[0]: line.split()[1:] for line in table_lines if line.split()}
    accuracy = results["systems"]["StepDiff"]["0"]["metrics"]["accuracy"]
    assert lines["StepDiff"][-2:] == [f"{accuracy:.3f}"[1:], "1.000"]
    assert lines["VLEmbed"] == ["–"] * 5 + [f"{accuracy:.3f}"[1:], ".667"]
    sentence = " ".join(shown.split())
    # Untrained's, StepDiff's and VLEmbed's choices are equally good: the first place is shared.
    assert "first of 2 on DiffCap, first of 3 on DiffMCQ, first of 3 on DiffRank" in sentence


def test_standard_errors_to_expect(run):
    results, _ = run
    results = {**results, "counts": {"benchmark": {SPLIT: {
        "diffcap": 100, "diffmcq": 400, "diffrank": 300}}}}  # fmt: skip
    shown = " ".join(terminal(results).split())
    assert "at most .050 for shares of words and captions, at most .025 for accuracy" in shown
    assert "about .028 for tau" in shown  # .491 / sqrt(300)


def test_the_page_needs_no_other_file(report):
    assert report.loads == []


def test_the_page_shows_all_frames_of_both_clips_of_six_pairs(run, report):
    _, directory = run
    assert len(report.images) == 6 * 2 * 8
    stored = {
        frame for clip in open_records(directory / "data", "clips", SPLIT) for frame in clip.frames
    }
    for data in report.images:
        assert data in stored
        assert Image.open(io.BytesIO(data)).size == (64, 64)


def test_the_page_says_what_was_run(report):
    jax = f"jax {packages()['jax']}"
    for part in (jax, "processor", "pack 1,063.0", "all 1,104.2", '"train_videos": 640', "seed 1"):
        assert part in re.sub(r"\s+", " ", report.text), part


def test_answers_stand_with_the_right_instance(run):
    _, directory = run
    chosen = read_samples(directory, SPLIT, ["StepDiff"])
    assert len(chosen) == 6
    for sample in chosen:
        assert sample.answers["StepDiff"] == sample.instance.text[0]


def test_a_system_without_captions_shows_a_dash(run, tmp_path):
    _, directory = run
    sample = read_samples(directory, SPLIT, ["StepDiff", "Nowhere"])[0]
    assert sample.answers["Nowhere"] is None
    html = samples.answers_html(sample)
    assert html.endswith("<dt>Nowhere</dt><dd>–</dd></dl>")
    assert "4 of 4" in html


def test_captions_of_another_benchmark(run, tmp_path):
    _, directory = run
    write_jsonl(
        predictions_path(directory, SPLIT, "Short", 0) / "diffcap.jsonl", [{"generated_text": ""}]
    )
    with pytest.raises(InputError, match=r"short/seed0/diffcap\.jsonl: has 1 predictions for the"):
        read_samples(directory, SPLIT, ["Short"])


def test_samples_differ_in_keystep_and_cover_the_categories(scenes_and_run):
    scenes, directory = scenes_and_run
    instances = read_diffcap(benchmark_path(directory / "benchmark" / SPLIT, "diffcap"))
    chosen = [instances[place] for place in choose(instances, scenes)]
    assert len({scenes[one.reference].keystep for one in chosen}) == 6
    assert {one.category for one in chosen} == set(CATEGORIES)
    assert choose(instances, scenes) == choose(instances, scenes)
    assert sorted(choose(instances[:3], scenes)) == [0, 1, 2]


def test_words_are_marked_on_the_side_that_says_them(scenes_and_run):
    scenes, _ = scenes_and_run
    first, second = next(
        (a, b)
        for a in scenes.values()
        for b in scenes.values()
        if a.word("tool") != b.word("tool") and a.word("material") != b.word("material")
    )
    sample = Sample(DiffCap("a_0_1", "b_0_1", "Tools/Equipment", ("x",)), first, second, {})
    truth = language.difference_caption(first, second, "Tools/Equipment")
    assert mark(truth, sample).count("<ins") == 4
    swapped = language.difference_caption(second, first, "Tools/Equipment")
    assert mark(swapped, sample).count("<del") == 4
    plain = mark(f"a <{second.word('tool').upper()}> with {first.word('vessel')}", sample)
    assert re.sub("<ins[^>]*>|</ins>", "", plain).startswith("a &lt;")
    assert plain.count("<ins") == 1
    assert "<del" not in plain


def test_keysteps_are_named(report):
    named = [keystep for keystep in KEYSTEPS if f"{keystep.capitalize()}: " in report.text]
    assert len(named) == 6
