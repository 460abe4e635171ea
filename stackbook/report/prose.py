"""Markdown cells as HTML with headings that can be linked to; raw HTML in them is text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape, unescape
from typing import Any

import mistune

from stackbook.report.clean import clean

_BREAK = re.compile(r"&lt;br\s?/?&gt;", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_HEADING = re.compile(r'<h([1-6]) id="(s-[\w-]+)">(.*?)</h\1>', re.DOTALL)
_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Heading:
    """A heading of the prose, as the contents list it."""

    level: int
    anchor: str
    title: str


class _Renderer(mistune.HTMLRenderer):
    def __init__(self, cell: int) -> None:
        super().__init__(escape=True)
        self._cell = cell
        self._count = 0

    def heading(self, text: str, level: int, **_: Any) -> str:
        self._count += 1
        slug = _SLUG.sub("-", plain(text).lower()).strip("-")[:60]
        return f'<h{level} id="s-{self._cell * 100 + self._count}-{slug}">{text}</h{level}>\n'


def prose(source: str, cell: int, attachments: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Cell number `cell` as HTML; attached pictures become part of it."""
    html = _markdown(cell)(_attached(source, attachments or {}))
    return clean(_BREAK.sub("<br>", str(html)))


def headings(html: str) -> list[Heading]:
    """The headings of what `prose` made."""
    return [Heading(int(found[1]), found[2], plain(found[3])) for found in _HEADING.finditer(html)]


def plain(html: str) -> str:
    """The text of `html`."""
    return unescape(_TAG.sub("", html)).strip()


def _markdown(cell: int) -> mistune.Markdown:
    return mistune.create_markdown(renderer=_Renderer(cell), plugins=["table", "strikethrough", "url"])


def _attached(source: str, attachments: Mapping[str, Mapping[str, str]]) -> str:
    for name, data in attachments.items():
        for kind, content in data.items():
            if kind.startswith("image/"):
                source = source.replace(f"(attachment:{name})", f"(data:{kind};base64,{''.join(content)})")
    return source


@cache
def _highlighter() -> tuple[Any, Any]:
    from pygments.formatters.html import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers.python import Python3Lexer  # type: ignore[import-untyped]

    return Python3Lexer(), HtmlFormatter(nowrap=True, classprefix="hl-")


def code(source: str) -> str:
    """Python source with classes for its colours."""
    from pygments import highlight  # type: ignore[import-untyped]

    try:
        return str(highlight(source, *_highlighter()))
    except Exception:  # a lexer that stumbles must not cost the report
        return escape(source)
