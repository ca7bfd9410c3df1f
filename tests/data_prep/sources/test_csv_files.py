"""CSV is read strictly: a damaged row is named and takes no other row with it."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.sources.csv_files import MOST_LINES, stream_csv
from stepdiff_jax.errors import InputError

HEADER = "vid,timestamp,text\n"


def rows_of(path: Path, content: bytes | str) -> list[tuple[int, list[str], str]]:
    """Line, texts and problem of each row."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows = stream_csv(path, ("vid", "text"))
    return [(row.line, list(row.fields.values()), row.problem) for row in rows]


def test_quoted_texts_may_hold_commas_quotes_and_line_ends(tmp_path):
    found = rows_of(tmp_path / "a.csv", HEADER + 'a,1,"x, ""y""\nz"\n\nb,2,6" pan\n')
    assert found == [(2, ["a", "1", 'x, "y"\nz'], ""), (5, ["b", "2", '6" pan'], "")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_mark_and_line_ends_of_any_system(tmp_path, mark, end):
    content = mark + (HEADER + "a,1,x\nb,2,y").replace("\n", end)
    assert [texts for _, texts, _ in rows_of(tmp_path / "a.csv", content)] == [
        ["a", "1", "x"],
        ["b", "2", "y"],
    ]


@pytest.mark.parametrize(
    ("row", "known", "problem"),
    [
        ('a,1,"not closed', ["a", "1"], "a quote is not closed"),
        ('a,1,"he said "go" now"', ["a", "1"], "is not CSV: ',' expected after '\"'"),
        ("a,1,x,y", ["a", "1", "x"], "the header has 3 columns, this row 4"),
        ("a,1", ["a", "1"], "the header has 3 columns, this row 2: 'text' is missing"),
        ("a,1,x\0y", ["a", "1", "x\0y"], "holds a NUL byte"),
        ("a,1,saut\udce9", ["a", "1", "saut\ufdd0"], "is not UTF-8"),
        (f'a,1,"{"x" * 200_000}"', ["a", "1"], "is not CSV: field larger than field limit"),
        ('a,1,"' + "x\n" * (MOST_LINES + 1), ["a", "1"], "a quote is not closed"),
    ],
)
def test_a_damaged_row_says_why_and_the_next_one_is_read(tmp_path, row, known, problem):
    content = (HEADER + f'{row}\nb,2,y\nc,3,"z"\n').encode(errors="surrogateescape")
    first, *_, b, c = rows_of(tmp_path / "a.csv", content)
    assert first[:2] == (2, known)
    assert first[2].startswith(problem)
    assert (b[1], c[1]) == (["b", "2", "y"], ["c", "3", "z"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("vid;text\n", r"has no column 'text'; its header is \['vid;text'\]"),
        ("vid,text,vid\n", "has column 'vid' 2 times"),
        ('"vid,text\n', "line 1: a quote is not closed"),
        (HEADER.encode("utf-16"), "line 1: holds NUL bytes; the file must be UTF-8"),
        ("vid,text,pr\udce9\n".encode(errors="surrogateescape"), "line 1: is not UTF-8"),
    ],
)
def test_a_damaged_header_is_named(tmp_path, content, message):
    with pytest.raises(InputError, match=rf"a\.csv(, |: ){message}"):
        rows_of(tmp_path / "a.csv", content)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        list(stream_csv(tmp_path, ("vid",)))


TEXT = st.text(st.sampled_from('ab",\n é'), max_size=8)


@given(st.lists(TEXT, min_size=2, max_size=6), st.data())
def test_a_quote_too_many_never_mixes_two_rows(texts, data):
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["vid", "timestamp", "text"])
    # Each text names its row, so that a mixture is seen.
    writer.writerows([f"v{n}", n, f"<{n}>{text}</{n}>"] for n, text in enumerate(texts))
    whole = file.getvalue()
    place = data.draw(st.integers(len(HEADER), len(whole)))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "a.csv"
        intact = rows_of(path, whole)
        damaged = rows_of(path, whole[:place] + '"' + whole[place:])
    known = [values for _, values, problem in intact if not problem]
    for _, values, problem in damaged:
        if not problem and values not in known:
            assert sum(f"<{n}>" in values[2] for n in range(len(texts))) <= 1
