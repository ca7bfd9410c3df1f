"""Tables, pages and curves of results."""

import io
import math
import re
import statistics
from base64 import b64decode
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from stepdiff_jax.errors import InputError
from stepdiff_jax.jsonl import write_jsonl
from stepdiff_jax.report.curves import loss_curves, read_curve
from stepdiff_jax.report.page import VOID, Html, element, figures_table, join, jpeg, page
from stepdiff_jax.report.tables import (
    TABLE_1,
    Column,
    Row,
    decimal,
    place,
    ranking,
    results_html,
    results_table,
    summarize,
)

ROWS = [
    Row("Guess", [{"accuracy": 0.251, "ktau": -0.0124, "BLEU": 0.1}]),
    Row("Ceiling", [{"accuracy": 0.99, "ktau": 0.6, "BLEU": 1.0}], apart=True),
    Row("Ours", [{"accuracy": 0.9, "ktau": 0.4}, {"accuracy": 0.86, "ktau": 0.45}]),
    Row("Broken", [{"accuracy": 0.5, "ktau": None}], marks={"accuracy": "†"}),
]


class Outline(HTMLParser):
    """Checks that elements nest, and collects the texts of table cells by row."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.strong: list[str] = []
        self.classes: list[str | None] = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.classes.append(dict(attrs).get("class"))
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data
        if "strong" in self.open:
            self.strong.append(data)


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return parser


def printed(rows, columns=TABLE_1, **options) -> list[str]:
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(results_table(rows, columns, **options))
    return console.file.getvalue().splitlines()


def cells(rows, **options) -> dict[str, list[str]]:
    parser = outline(results_html(rows, **options))
    return {row[0]: row[1:] for row in parser.rows[2:]}


@settings(deadline=None)
@given(st.lists(st.floats(-1, 10), min_size=1, max_size=6))
def test_mean_and_sample_deviation_over_seeds(values):
    summary = summarize(Row("x", [{"m": value} for value in values]), "m")
    assert summary.mean == pytest.approx(np.mean(values))
    if len(values) == 1:
        assert summary.spread is None
    else:
        assert summary.spread == pytest.approx(np.std(values, ddof=1), abs=1e-9)


def test_absent_and_undefined_are_told_apart():
    assert summarize(ROWS[2], "BLEU") is None
    assert math.isnan(summarize(ROWS[3], "ktau").mean)
    runs = [{"ktau": 0.2}, {"ktau": math.nan}]
    assert math.isnan(summarize(Row("x", runs), "ktau").mean)


def test_ranking_leaves_out_what_is_apart_or_undefined():
    assert [name for name, _ in ranking(ROWS, "accuracy")] == ["Ours", "Broken", "Guess"]
    assert [name for name, _ in ranking(ROWS, "ktau")] == ["Ours", "Guess"]
    assert place(ROWS, "accuracy", "Ours") == 1
    assert place(ROWS, "accuracy", "Guess") == 3
    assert place(ROWS, "accuracy", "Ceiling") is None
    assert place(ROWS, "ktau", "Broken") is None


def test_equal_means_share_the_better_place():
    rows = [Row(name, [{"m": value}]) for name, value in [("a", 0.5), ("b", 0.5), ("c", 0.4)]]
    assert [place(rows, "m", name) for name in "abc"] == [1, 1, 3]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5414, ".541"), (-0.0124, "−.012"), (0, ".000"), (-0.0001, ".000"), (1.25, "1.250"),
     (0.99951, "1.000"), (-0.99951, "−1.000")],
)  # fmt: skip
def test_decimals_as_in_the_paper(value, text):
    assert decimal(value) == text


def test_numbers_of_the_page_are_those_of_the_rows():
    shown = cells(ROWS)
    spreads = [statistics.stdev((0.9, 0.86)), statistics.stdev((0.4, 0.45))]
    assert shown["Ours"] == ["–", "–", "–", f".880±{decimal(spreads[0])}", ".425±.035"]
    assert shown["Guess"] == [".100", "–", "–", ".251", "−.012"]
    assert shown["Broken"] == ["–", "–", "–", ".500†", "undefined"]
    assert shown["Ceiling"] == ["1.000", "–", "–", ".990", ".600"]


def test_best_is_bold_and_rows_apart_come_last():
    parser = outline(results_html(ROWS, highlight="Ours"))
    assert parser.strong == [".100", ".880", ".425"]
    assert [row[0] for row in parser.rows[2:]] == ["Guess", "Ours", "Broken", "Ceiling"]
    assert parser.classes[2:] == [None, "highlight", None, "apart"]


def test_numbers_of_the_terminal_are_those_of_the_rows():
    lines = printed(ROWS)
    ours = next(number for number, line in enumerate(lines) if line.startswith("Ours"))
    assert lines[ours].split() == ["Ours", "–", "–", "–", ".880", ".425"]
    assert lines[ours + 1].split() == ["±.028", "±.035"]
    assert lines[0].split() == ["DiffCap", "DiffMCQ", "DiffRank"]
    assert lines[1].split() == ["system", "BLEU", "CIDEr", "ROUGE-L", "accuracy", "tau"]
    assert [line.split()[0] for line in lines if line[:1].isalpha()][-1] == "Ceiling"


def test_best_is_bold_in_the_terminal():
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(results_table(ROWS, [Column("accuracy", "DiffMCQ", "accuracy")]))
    shown = console.file.getvalue()
    assert re.findall(r"\x1b\[1m *([.\d]+)\x1b", shown) == [".880"]


def test_text_is_escaped_and_markup_is_not():
    html = element("p", "a < b & c", Html("<b>d</b>"), title='"quoted"', class_=None)
    assert html == '<p title="&quot;quoted&quot;">a &lt; b &amp; c<b>d</b></p>'
    assert join("<", element("br")) == "&lt;<br>"


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_gives_a_page_that_nests(title, text):
    document = page(title, figures_table(("a", "b"), [(text, title)]))
    assert document.startswith("<!DOCTYPE html>")
    outline(document.split("\n", 1)[1])


def test_images_travel_with_the_page():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(buffer, "JPEG")
    html = jpeg(buffer.getvalue(), "red")
    encoded = html.split("base64,")[1].split('"')[0]
    assert Image.open(io.BytesIO(b64decode(encoded))).size == (4, 3)


@pytest.fixture
def runs(tmp_path):
    paths = {}
    for seed in (0, 1):
        path = tmp_path / f"seed{seed}" / "metrics.jsonl"
        rows = [{"step": step, "loss": 4 / step + seed} for step in range(1, 6)]
        write_jsonl(path, [*rows, {"step": 5, "validation_loss": 0.5}])
        paths[f"seed {seed}"] = path
    return paths


def test_curves_pass_over_lines_without_the_figure(runs):
    assert read_curve(runs["seed 1"]) == ([1, 2, 3, 4, 5], [4 / s + 1 for s in range(1, 6)])
    assert read_curve(runs["seed 0"], "validation_loss") == ([5], [0.5])


def test_curves_are_svg_in_the_page_s_colour(runs):
    svg = loss_curves(runs, title="Interleaved")
    ElementTree.fromstring(svg)
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert "seed 1, validation" in svg
    assert svg == loss_curves(runs, title="Interleaved")


def test_two_curves_of_a_page_share_no_id(runs):
    def ids(title):
        tree = ElementTree.fromstring(loss_curves(runs, title=title))
        clips = tree.iter("{http://www.w3.org/2000/svg}clipPath")
        return {clip.get("id") for clip in clips}

    assert ids("Interleaved")
    assert not ids("Interleaved") & ids("StepDiff")


def test_missing_metrics(tmp_path):
    with pytest.raises(InputError, match=r"metrics\.jsonl: cannot be read"):
        loss_curves({"seed 0": tmp_path / "metrics.jsonl"}, title="x")
