"""A self-contained page: it loads no other file, so it can be sent and read offline."""

import base64
from collections.abc import Sequence
from html import escape

from stepdiff_jax.surrogates import without_surrogates

VOID = frozenset({"img", "br", "meta"})


class Html(str):
    """Markup; a `str` that is not `Html` is text, and is escaped before it is put on a page."""


def join(*content: str) -> Html:
    """Concatenated content; text is escaped."""
    return Html("".join(part if isinstance(part, Html) else _escape(part) for part in content))


def element(tag: str, *content: str, **attributes: str | None) -> Html:
    """An element around `content`; text is escaped, attributes that are None are left out.

    An underscore at the end of an attribute's name is dropped (`class_`), others become hyphens.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{join(*content)}</{tag}>")


def _escape(text: str) -> str:
    """Escaped text; file names that are not UTF-8 have surrogates, which a page cannot."""
    return escape(without_surrogates(text))


def jpeg(data: bytes, alt: str) -> Html:
    """An image embedded in the page."""
    encoded = base64.b64encode(data).decode()
    return element("img", src=f"data:image/jpeg;base64,{encoded}", alt=alt)


def figures_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Html:
    """A plain table whose first column names the rows."""
    lines = [
        element("tr", element("th", row[0], scope="row"), *(element("td", v) for v in row[1:]))
        for row in rows
    ]
    headings = element("tr", *(element("th", name, scope="col") for name in head))
    table = element("table", element("thead", headings), element("tbody", *lines))
    return element("div", table, class_="scroll")


def page(title: str, *content: str) -> str:
    """A complete HTML document in UTF-8."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(STYLE)),
    )
    body = element("body", element("main", *content))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


STYLE = """
:root { color-scheme: light dark; --ground: #fbfaf8; --panel: #ffffff; --ink: #1d2126;
  --quiet: #5d656f; --line: #dfdcd6; --accent: #1f66b8; --tint: #eaf2fb;
  --right: #14743f; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --panel: #1c2026; --ink: #e7e9ec; --quiet: #9ba4af;
    --line: #333a43; --accent: #79b2f2; --tint: #1c2d42; --right: #6fd69b; --wrong: #ff9187; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 71rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.75rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0 0 .75rem; }
p { margin: .5rem 0; max-width: 46rem; }
.quiet, small, figcaption { color: var(--quiet); }
small, .note { font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 500; }
th[scope=row], tr:first-child > th:first-child { text-align: left; padding-left: .5rem; }
th[scope=row] { position: sticky; left: 0; background: var(--ground); min-width: 7rem; }
thead th { color: var(--quiet); font-size: .85rem; vertical-align: bottom; white-space: pre; }
table.results { width: 100%; }
table.results thead th[colspan] { text-align: center; color: var(--ink); }
table.results td small { display: block; white-space: nowrap; }
table.results strong { font-weight: 700; }
tr.highlight > * { background: var(--tint); }
tr.highlight th { color: var(--accent); font-weight: 700; }
tr.apart > * { border-top: 2px solid var(--line); color: var(--quiet); font-style: italic; }
.tiles { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr));
  margin: 1.25rem 0; }
.tile, .card { background: var(--panel); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem 1.15rem; }
.tile b { display: block; font-size: 2rem; line-height: 1.2; font-weight: 650;
  font-variant-numeric: tabular-nums; }
.tile b small { font-size: 1rem; font-weight: 400; }
.tile .place { color: var(--accent); font-weight: 600; }
.columns { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); }
.columns svg { width: 100%; height: auto; display: block; }
.card { margin: 0 0 1.25rem; }
figure { margin: 0 0 .9rem; }
figcaption { font-size: .85rem; margin-bottom: .25rem; overflow-wrap: anywhere; }
.frames { display: grid; grid-template-columns: repeat(8, minmax(0, 128px)); gap: 3px; }
.frames img { width: 100%; display: block; image-rendering: pixelated; border-radius: 2px; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .35rem 1rem;
  margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; }
dd .count { color: var(--quiet); font-size: .85rem; white-space: nowrap; margin-left: .6rem; }
dd div + div { color: var(--quiet); }
ins, del { text-decoration-thickness: 2px; text-underline-offset: 3px; font-weight: 600; }
ins { color: var(--right); text-decoration: underline; }
del { color: var(--wrong); text-decoration: line-through; }
details { margin: .75rem 0; }
details > :not(summary) { margin-top: .6rem; }
summary { cursor: pointer; color: var(--accent); }
pre { overflow-x: auto; font-size: .85rem; background: var(--panel); padding: .75rem;
  border: 1px solid var(--line); border-radius: .4rem; }
@media (max-width: 40rem) {
  main { padding: 1.25rem .9rem 3rem; }
  .frames { grid-template-columns: repeat(4, minmax(0, 1fr)); }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .6rem; }
  .card { padding: .85rem; }
  th, td { padding: .35rem .5rem; } }
"""
