"""Field values as an operator reads them, on one line or several; control characters made visible."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

SITE_CHOOSES = "site chooses"
UNSET = "none"
LONGEST = 4000
"""Characters of one value that are shown; the rest is counted."""

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_PLAIN = re.compile(r"\S(?:.*\S)?", re.DOTALL)


def visible(text: str) -> str:
    """`text` with control, bidirectional and zero-width characters as escapes, so that no terminal or page obeys them."""
    return _UNSEEN.sub(lambda found: _escape(found[0]), text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """`text` made visible on one line: newlines and tabs as escapes too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def shown(value: Any, nothing: str = UNSET) -> str:
    """A field's value: strings as they are, quoted only where spaces would mislead; lists and mappings on one line.

    A string of several lines stays on several lines.
    """
    if value is None:
        return nothing
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) or "\n" in value.strip("\n")
        return clipped(visible(value if plain else json.dumps(value, ensure_ascii=False)))
    if isinstance(value, Mapping):
        return clipped(", ".join(f"{one_line(str(name))}={_inner(item)}" for name, item in value.items()) or "empty")
    if isinstance(value, (list, tuple, set, frozenset)):
        return clipped(", ".join(_inner(item) for item in value) or "empty")
    return clipped(one_line(str(value)))


def cell_text(value: Any) -> str:
    """A value in a table: nothing where there is none, or an empty text, which alone in a field would be shown as quotes."""
    return "" if isinstance(value, str) and not value else shown(value, "")


def clipped(text: str, longest: int = LONGEST) -> str:
    """`text`, cut after `longest` characters with the number of those left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest:,} more characters)"


def _inner(value: Any) -> str:
    if isinstance(value, Mapping) and value.keys() == {"before", "after"}:
        return f"{_inner(value['before'])} → {_inner(value['after'])}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{one_line(str(name))}={_inner(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return "[" + ", ".join(_inner(item) for item in value) + "]"
    return one_line(shown(value))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
