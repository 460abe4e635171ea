"""HTML from a notebook's outputs reduced to an allow-list: no script, no style but ours, nothing fetched."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import bleach  # type: ignore[import-untyped]
from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]

TAGS = frozenset(
    """
    a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6
    hr i img ins kbd li mark ol p pre s samp small span strong sub summary sup table tbody td tfoot th thead tr tt u
    ul var
    """.split()  # noqa: SIM905 - a list of words reads better so
)
PLAIN = frozenset(("title", "colspan", "rowspan", "scope", "open", "alt", "width", "height", "start"))
CLASSES = re.compile(r"(?:(?:sb(?:-[a-z]+)*|dataframe) ?)*")
LINK = re.compile(r"(?:https?://|mailto:|#)[^\s]*", re.IGNORECASE)
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_UNREAD = re.compile(r"<(style|script)\b[^>]{0,200}>[^<]{0,200000}+</\1\s{0,9}>", re.IGNORECASE)
HEADING = re.compile(r"s-\d+-[\w-]*")


def clean(html: str) -> str:
    """`html` as harmless HTML: text, tables, lists, ``data:`` pictures, links, and the classes of our own outputs."""
    return _cleaner().clean(_UNREAD.sub("", html))  # type: ignore[no-any-return]


@cache
def _cleaner() -> Any:
    styles = CSSSanitizer(allowed_css_properties=["width", "text-align"])
    protocols = ["http", "https", "mailto", "data"]
    return bleach.Cleaner(tags=TAGS, attributes={"*": _allowed}, protocols=protocols, strip=True, css_sanitizer=styles)


def _allowed(tag: str, name: str, value: str) -> bool:
    if name == "class":
        return bool(CLASSES.fullmatch(value))
    if name == "style":
        return True  # the style sanitizer decides
    if name == "href":
        return tag == "a" and bool(LINK.fullmatch(value.strip()))
    if name == "src":
        return tag == "img" and bool(PICTURE.fullmatch(value))
    if name == "id":
        return tag[:1] == "h" and bool(HEADING.fullmatch(value))
    return name in PLAIN
