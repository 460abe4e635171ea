"""What outputs may hold: an allow-list of elements, attributes, styles and pictures."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.render.svg import ATTRIBUTES, ELEMENTS, inline
from stackbook.report.clean import TAGS, clean
from stackbook.report.frames import aligned
from stackbook.report.outputs import parts, safe
from stackbook.report.prose import headings, prose
from tests.report import samples

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'
PIECES = [
    "<b>",
    "</b>",
    "<script>",
    "</script>",
    "<style>",
    "</style>",
    "<img src=x onerror=y>",
    "<svg>",
    "<math>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
]
PIECES += [
    "<a href='javascript:x'>",
    "<a href=https://x>",
    "<td",
    ' onclick="x"',
    ' style="width:1px;background:url(x)"',
    "&lt;",
    "&#60;",
    "<noscript>",
    "<p title='",
    "'>",
    '"',
    "x",
    "<template>",
    "<textarea>",
    "<iframe srcdoc='<b>'>",
    "\x00",
    "<details open>",
]


class Harmless(HTMLParser):
    """Fails on an element or attribute that is not allowed."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Check the element."""
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in (
                "class",
                "style",
                "href",
                "src",
                "title",
                "open",
                "colspan",
                "rowspan",
                "alt",
                "width",
                "height",
                "start",
                "scope",
            ), name
            assert not re.search(r"javascript|url\(|expression", value or "", re.IGNORECASE) or name in ("title", "alt")


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=14))
def test_whatever_goes_in_harmless_html_comes_out(pieces: list[str]) -> None:
    """No mixture of markup leaves an element, attribute, address or style that is not allowed; cleaning twice changes nothing."""
    once = clean("".join(pieces))
    Harmless().feed(once)
    Harmless().feed(clean(once))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("<style>.x{color:red}</style><b>a</b>", "<b>a</b>"),
        ("<script>alert(1)</script>a", "a"),
        ('<div class="sb sb-plan">a</div>', '<div class="sb sb-plan">a</div>'),
        ('<div class="rp-card">a</div>', "<div>a</div>"),
        ('<span style="width: 30%; position: fixed">a</span>', '<span style="width: 30%;">a</span>'),
        ('<a href="https://docs.example">a</a>', '<a href="https://docs.example">a</a>'),
        ('<a href="data:text/html,x">a</a>', "<a>a</a>"),
        ('<img src="https://example.org/x.png">', "<img>"),
        ('<img src="data:image/png;base64,AAAA" onload="x">', '<img src="data:image/png;base64,AAAA">'),
        ('<h2 id="s-100-plan">a</h2><h2 id="undoing">b</h2>', '<h2 id="s-100-plan">a</h2><h2>b</h2>'),
    ],
)
def test_what_stays_and_what_goes(given: str, expected: str) -> None:
    """Our classes, widths, links and embedded pictures stay; everything else goes."""
    assert clean(given) == expected


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(
            [
                "<rect ",
                "<g>",
                "</g>",
                'x="1"',
                ' onload="x"',
                "/>",
                ">",
                "<script>",
                "</script>",
                "<a href='javascript:x'>",
                "</a>",
                '<use href="#a"/>',
                '<use xlink:href="http://x"/>',
                "&#60;",
                "<text>t</text>",
                'style="fill:url(http://x);stroke:red"',
                "<foreignObject/>",
                "<style>*{}</style>",
            ]
        ),
        max_size=10,
    )
)
def test_pictures_are_rebuilt_from_known_elements(pieces: list[str]) -> None:
    """A picture that can be read holds known elements and attributes only, and points nowhere but into itself."""
    picture = inline(SVG.format("".join(pieces)), 3)
    if picture is None:
        return
    assert set(re.findall(r"<([A-Za-z]+)", picture)) <= ELEMENTS
    assert set(re.findall(r' ([\w:-]+)="', picture)) <= ATTRIBUTES | {"style", "href"}
    values = re.findall(r'="([^"]*)"', picture)
    assert not any("http" in value or "javascript" in value for value in values)


def test_pictures_follow_the_text_and_keep_to_themselves() -> None:
    """Black becomes the text's colour; ids differ from picture to picture and their references follow."""
    body = (
        '<defs><clipPath id="c"><rect width="1" height="1"/></clipPath></defs>'
        '<g clip-path="url(#c)" fill="#000000" style="stroke: black; fill: #3b82d0"/>'
    )
    picture = inline(SVG.format(body), 7, alt="a <b>") or ""
    assert 'id="f7-c"' in picture and "url(#f7-c)" in picture
    assert 'fill="currentColor"' in picture and "stroke: currentColor; fill: #3b82d0" in picture
    assert 'aria-label="a &lt;b&gt;"' in picture


@pytest.mark.parametrize("bad", ["", "<svg", "<html/>", '<!DOCTYPE s [<!ENTITY a "b">]>' + SVG.format("&a;"), "x" * 10])
def test_what_is_no_picture_is_not_shown(bad: str) -> None:
    """Unreadable XML, other documents and entities are refused."""
    assert inline(bad, 1) is None


def test_pandas_tables_get_numbers_to_the_right() -> None:
    """Columns whose cells are all numbers are marked, with their heading; others are not."""
    import pandas as pd

    table = pd.DataFrame({"name": ["a", "b"], "n": [1, 20], "mixed": ["1", "x"], "f": [0.5, None]})
    marked = aligned(clean(samples.pandas_html(table)))
    assert '<th class="sb-number">n</th>' in marked and '<td class="sb-number">20</td>' in marked
    assert '<td class="sb-number">NaN</td>' in marked
    assert "<td>x</td>" in marked and "<td>1</td>" in marked and "<th>name</th>" in marked


def test_prose_is_markdown_and_nothing_more() -> None:
    """Headings can be linked to, tables and line breaks work, raw HTML is text."""
    html = prose(
        "## Nothing *else* changed\n\n| a | b |\n|---|---|\n| 1<br>2 | <b>x</b> |\n\n<script>x</script> [l](javascript:x)", 4
    )
    found = headings(html)
    assert [(heading.level, heading.anchor, heading.title) for heading in found] == [
        (2, "s-401-nothing-else-changed", "Nothing else changed")
    ]
    assert "1<br>2" in html and "&lt;b&gt;x&lt;/b&gt;" in html and "&lt;script&gt;" in html and "href" not in html


def test_printed_text_has_no_colours_and_no_controls() -> None:
    """ANSI sequences, window titles and control characters are taken out or made visible."""
    assert safe("\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x00\u202e") == "red x\\x00\\u202e"


def test_the_message_of_an_error_is_taken_apart() -> None:
    """Lines after the first belong to what was found, or to the next step."""
    assert parts("what\nmore\n  Found: a; b\n  Try: c\nd") == ("what\nmore", ["a", "b"], "c\nd")
    assert parts("only") == ("only", [], "")


def test_no_template_asks_for_anything() -> None:
    """Templates and styles name no address of another file or machine."""
    import stackbook.report

    for path in Path(stackbook.report.__file__).parent.glob("*.[cj][s2]*"):
        assert not re.search(r"https?:|//\w|url\(|@import|<script", path.read_text()), path.name
