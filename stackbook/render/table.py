"""Tables: numbers right-aligned, ids in one width, small bars where one column is a share of another."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from numbers import Real
from typing import Any

from stackbook.render.values import cell_text, one_line, visible

MOST_ROWS = 500
"""Rows that a table shows; the rest is counted below it."""
LONG_CELL = 240
"""Characters of a cell above which its rest is folded away."""

LONG_TEXT = 32
"""Characters of a cell above which its column is broken into lines, so that the table fits its place."""

_PARTS = ("used", "in_use", "use", "allocated", "free", "available", "reserved")
_WHOLES = ("total", "limit", "max", "size", "")
_IDENTIFIER = re.compile(
    r"(?:req-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|p-[0-9a-f]{8}"
    r"|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:/\d{1,3})?",
    re.IGNORECASE,
)
Row = Mapping[str, Any]


def table(rows: Any, *, kind: str = "", caption: str = "") -> str:
    """The ``table`` element for rows (mappings) or a DataFrame; a line that says so when there are none."""
    listed = records(rows)
    if not listed:
        return '<div class="sb-line sb-quiet">no rows</div>'
    names = list(dict.fromkeys(name for row in listed for name in row))
    numeric = {name for name in names if _all(listed, name, number)}
    classes = {name: "sb-number" if name in numeric else _kind(listed, name) for name in names}
    bars = {part: whole for part, whole in shares(names).items() if part in numeric and whole in numeric}
    head = "".join(f"<th{_class(classes[name])}>{escape(one_line(str(name)))}</th>" for name in names)
    body = "".join(_row(row, names, classes, bars) for row in listed[:MOST_ROWS])
    more = f'<div class="sb-aside">and {len(listed) - MOST_ROWS:,} more rows</div>' if len(listed) > MOST_ROWS else ""
    title = f"<caption>{escape(visible(caption))}</caption>" if caption else ""
    looks = " ".join(filter(None, ("sb-table", "sb-wraps" if "sb-text" in classes.values() else "", kind)))
    table = f'<table class="{looks}">{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="sb-scroll">{table}</div>{more}'


def records(rows: Any) -> list[dict[str, Any]]:
    """The rows of a list of mappings or of a DataFrame; a named index is a column."""
    if rows is None:
        return []
    if hasattr(rows, "to_dict"):
        named = getattr(getattr(rows, "index", None), "name", None)
        return [dict(row) for row in (rows.reset_index() if named else rows).to_dict("records")]
    return [dict(row) for row in rows]


def number(value: Any) -> bool:
    """Whether `value` is a number (booleans are not), or missing."""
    return missing(value) or (isinstance(value, Real) and not isinstance(value, bool))


def missing(value: Any) -> bool:
    """Whether `value` is None or not a number."""
    return value is None or type(value).__name__ in ("NaTType", "NAType") or (isinstance(value, float) and math.isnan(value))


def shares(names: Sequence[Any]) -> dict[Any, Any]:
    """Columns that are a share of another: ``used`` of ``total``, ``memory_mb_used`` of ``memory_mb``."""
    known = {str(name).lower(): name for name in names}
    found = {}
    for lower, name in known.items():
        for whole in _wholes(lower):
            if whole in known and whole != lower:
                found[name] = known[whole]
                break
    return found


def _wholes(name: str) -> list[str]:
    for part in _PARTS:
        split = re.fullmatch(rf"(|.*[_ ]){part}(|[_ ].*)", name)
        if split:
            return [re.sub(r"^[_ ]|[_ ]$|(?<=[_ ])[_ ]", "", split[1] + whole + split[2]) for whole in _WHOLES]
    return []


def _row(row: Row, names: Sequence[Any], classes: Mapping[Any, str], bars: Mapping[Any, Any]) -> str:
    cells = (f"<td{_class(classes[name])}>{_cell(row.get(name))}{_bar(row, name, bars)}</td>" for name in names)
    return f"<tr>{''.join(cells)}</tr>"


def _cell(value: Any) -> str:
    if missing(value):
        return ""
    told = _rounded(value) if number(value) else cell_text(value)
    if len(told) <= LONG_CELL:
        return escape(told)
    return f"<details><summary>{escape(told[: LONG_CELL // 2])}…</summary>{escape(told)}</details>"


def _rounded(value: Any) -> str:
    if isinstance(value, float) or not float(value).is_integer():
        return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    return str(value)


def _bar(row: Row, name: Any, bars: Mapping[Any, Any]) -> str:
    if name not in bars:
        return ""
    part, whole = row.get(name), row.get(bars[name])
    if part is None or whole is None or missing(part) or missing(whole) or part < 0 or whole <= 0:
        return ""
    percent = min(100, round(100 * float(part) / float(whole)))
    return f'<span class="sb-bar" title="{percent} %"><span style="width: {percent}%"></span></span>'


def _kind(rows: Sequence[Row], name: Any) -> str:
    """The class of a column that holds no numbers: ids stand in one width, long texts are broken into lines."""
    if _all(rows, name, _identifier):
        return "sb-id"
    texts = (cell_text(row.get(name)) for row in rows[:MOST_ROWS] if not missing(row.get(name)))
    return "sb-text" if any(len(text) > LONG_TEXT for text in texts) else ""


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _all(rows: Sequence[Row], name: Any, test: Any) -> bool:
    values = [row.get(name) for row in rows]
    return all(map(test, values)) and not all(map(missing, values))


def _identifier(value: Any) -> bool:
    return missing(value) or (isinstance(value, str) and bool(_IDENTIFIER.fullmatch(value)))
