"""Pictures as inline SVG that follows light and dark, rebuilt from an allow-list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

NAMESPACE = "{http://www.w3.org/2000/svg}"
LINKED = "{http://www.w3.org/1999/xlink}href"
ELEMENTS = frozenset(
    """
    svg g defs symbol use title desc path rect circle ellipse line polyline polygon text tspan clipPath
    linearGradient radialGradient stop marker pattern mask
    """.split()  # noqa: SIM905 - a list of words reads better so
)
ATTRIBUTES = frozenset(
    """
    id class x y x1 y1 x2 y2 cx cy r rx ry d points width height viewBox preserveAspectRatio transform fill
    fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin stroke-dasharray
    stroke-dashoffset stroke-miterlimit opacity font-family font-size font-weight font-style text-anchor
    dominant-baseline dx dy offset stop-color stop-opacity clip-path clip-rule gradientUnits gradientTransform
    clipPathUnits patternUnits markerWidth markerHeight refX refY orient role aria-label color display visibility
    """.split()  # noqa: SIM905 - a list of words reads better so
)
MOST = 20_000_000
"""Characters of a picture that is read at all."""
_INNER = re.compile(r"url\(\s*['\"]?#([\w.-]{1,100})['\"]?\s*\)")
_STYLE = re.compile(r"(?P<name>[a-z-]{1,40})\s*:\s*(?P<value>[^;{}\\]{1,400})")
_UNSAFE = re.compile(r"url\(|javascript|expression|@|<|&|\\|/\*", re.IGNORECASE)
_DARK = re.compile(r"(?:#000(?:000)?|black|rgb\(\s*0\s*,\s*0\s*,\s*0\s*\))\Z", re.IGNORECASE)
_FONTS = re.compile(r"'(?:DejaVu Sans|Bitstream Vera Sans)'")


def inline(svg: str, number: int, alt: str = "") -> str | None:
    """The picture as an ``svg`` element with ids of its own, black drawn in the text's colour; None when it can't be read."""
    if len(svg) > MOST:
        return None
    try:
        root = fromstring(svg, forbid_dtd=False)
    except (ParseError, DefusedXmlException, ValueError):
        return None
    if root.tag not in (f"{NAMESPACE}svg", "svg"):
        return None
    root.set("role", "img")
    root.set("aria-label", alt or "figure")
    root.set("fill", root.get("fill") or "currentColor")
    return "".join(_written(root, f"f{number}-"))


def _written(element: Element, prefix: str) -> Iterator[str]:
    name = _local(element.tag)
    if name not in ELEMENTS:
        return
    listed = "".join(f' {key}="{_escaped(value)}"' for key, value in _attributes(element, prefix))
    yield f"<{name}{listed}>"
    yield _escaped(element.text or "")
    for child in element:
        yield from _written(child, prefix)
        yield _escaped(child.tail or "")
    yield f"</{name}>"


def _attributes(element: Element, prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in element.items():
        if key == "id":
            yield key, prefix + value
        elif key == "aria-label":
            yield key, value
        elif key in (LINKED, "href"):
            if re.fullmatch(r"#[\w.-]{1,100}", value):
                yield "href", f"#{prefix}{value[1:]}"
        elif key == "style":
            yield key, "; ".join(f"{name}: {said}" for name, said in _styles(value, prefix))
        elif key in ATTRIBUTES and (said := _value(value, prefix)) is not None:
            yield key, said


def _styles(style: str, prefix: str) -> Iterator[tuple[str, str]]:
    for found in _STYLE.finditer(style):
        said = _value(found["value"].strip(), prefix)
        known = found["name"] in ATTRIBUTES or found["name"] in ("font", "white-space", "text-align")
        if known and said is not None:
            yield found["name"], _FONTS.sub("system-ui", said)


def _value(value: str, prefix: str) -> str | None:
    if _DARK.match(value.strip()):
        return "currentColor"
    inner = _INNER.fullmatch(value.strip())
    if inner:
        return f"url(#{prefix}{inner[1]})"
    return None if _UNSAFE.search(value) else value


def _local(tag: object) -> str:
    return tag.removeprefix(NAMESPACE) if isinstance(tag, str) else ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
