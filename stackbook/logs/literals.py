"""Fixed texts that every match of a regular expression must hold, so that a fast search can look for them first."""

from __future__ import annotations

import re
from collections.abc import Iterable

SHORTEST = 4
_ESCAPED = re.compile(r"\\([^A-Za-z0-9])")


def literals(patterns: Iterable[str]) -> list[str]:
    """For each pattern the longest text that its matches hold, one for each of its alternatives.

    A pattern without such a text of 4 characters gives its longest one, however short; one without any gives nothing and
    is found only in records that are read for another reason.
    """
    return sorted({text for pattern in patterns for part in _alternatives(pattern) if (text := _longest(part))})


def _alternatives(pattern: str) -> list[str]:
    """The parts between the ``|`` that are in no group."""
    parts, depth, start, at = [], 0, 0, 0
    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\":
            at += 1
        elif sign == "[":
            at = _class_end(pattern, at)
        elif sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == "|" and depth == 0:
            parts.append(pattern[start:at])
            start = at + 1
        at += 1
    return [*parts, pattern[start:]]


def _longest(pattern: str) -> str:
    """The longest run of plain characters that are in no group and not optional."""
    runs, run, depth, at = [], "", 0, 0
    while at < len(pattern):
        sign, step = pattern[at], 1
        plain = None
        if sign == "\\":
            escaped = _ESCAPED.match(pattern, at)
            plain, step = (escaped[1] if escaped else None), 2
        elif sign == "[":
            step = _class_end(pattern, at) - at + 1
        elif sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign not in ".^$*+?{}|":
            plain = sign
        optional = pattern[at + step : at + step + 1] in ("?", "*", "{")
        if depth == 0 and plain is not None and not optional:
            run += plain
        else:
            runs.append(run)
            run = ""
        if sign == "{" and depth == 0 and (end := pattern.find("}", at)) > 0:
            step = end - at + 1
        at += step
    return max([*runs, run], key=len)


def _class_end(pattern: str, at: int) -> int:
    """Where the character class that begins at `at` ends."""
    end = at + 2 if pattern[at + 1 : at + 2] == "^" else at + 1
    end += pattern[end : end + 1] == "]"
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end
