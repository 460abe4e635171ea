"""What is wrong with the options of one configuration file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from stackbook.ini import Assignment, IniText
from stackbook.options.knowledge import Knowledge, Types, knowledge
from stackbook.options.removed import instead

NEAR = 0.8
"""Likeness from which a name is taken for a misspelling of another."""
FEW = 3
"""Sections that may know an option for its place to be told."""
BOOLEANS = frozenset(("true", "false", "1", "0", "on", "off", "yes", "no"))
SHOWN = 40
"""Characters of a value that are shown."""


@dataclass(frozen=True)
class Finding:
    """One option, or section, that is not read as its author meant."""

    level: str
    """``warning``: it has no effect, or another one; ``info``: it will go, or may belong to a plugin."""
    line: int
    section: str
    option: str
    """Empty for a section."""
    summary: str
    hint: str = ""


def findings(project: str, text: IniText) -> list[Finding]:
    """What a service of `project` would not read, or not for long, in the order of the lines.

    Sections that are not known and resemble none that is are left alone: a plugin's, a backend's, another release's.
    """
    known = knowledge(project)
    found = [*_sections(known, text), *_repeated(known, text)]
    for item in text.assignments:
        types = known.section(item.section, _said(text, item.section))
        if types is not None and (finding := _option(known, types, item)):
            found.append(finding)
    return sorted(found, key=lambda finding: finding.line)


def _option(known: Knowledge, types: Types, item: Assignment) -> Finding | None:
    key = _key(item.option)
    if key not in types:
        return _unknown(known, types, item, key)
    if why := _wrong(types[key], item.value):
        return _finding("warning", item, why, "the service does not start, or takes its default")
    if (reason := known.going.get(item.section, {}).get(key)) is not None:
        return _finding("info", item, "will be removed", reason or "see the release notes before the next upgrade")
    return None


_BOTH_NAMES = "the old name is read until it is removed; older releases know no other"


def _unknown(known: Knowledge, types: Types, item: Assignment, key: str) -> Finding:
    if new := known.renamed.get(item.section, {}).get(key):
        return _finding("info", item, f"deprecated: use [{new[0]}] {new[1]}", _BOTH_NAMES)
    if (hint := instead(known.project, item.section, key)) is not None:
        return _finding("warning", item, "removed: it has no effect", hint)
    if near := difflib.get_close_matches(key, types, 1, NEAR):
        return _finding("warning", item, f"unknown option (nearest known: {near[0]})", f"rename it to {near[0]}")
    sections = known.elsewhere(key)
    if 0 < len(sections) <= FEW:
        places = " or ".join(f"[{section}]" for section in sections)
        return _finding("warning", item, f"not read in this section: it belongs to {places}", f"move it to {places}")
    return _finding("info", item, f"unknown to {known.project} {known.version}", "a plugin's, or another release's")


def _sections(known: Knowledge, text: IniText) -> Iterator[Finding]:
    """Misspelt sections that set something; one that a value names (a backend, a fabric, an auth_section) was meant so."""
    named = {word.strip().partition(":")[0].lower() for item in text.assignments for word in item.value.split(",")}
    seen, filled = set(), {item.section for item in text.assignments}
    for name, index in text.sections:
        meant = name in named or known.section(name, _said(text, name)) is not None or name in known.renamed
        if meant or name in seen or name not in filled:
            continue
        seen.add(name)
        if near := difflib.get_close_matches(name, known.options, 1, NEAR):
            hint = f"its options are not read; is it [{near[0]}]?"
            yield Finding("warning", index + 1, name, "", f"unknown section (nearest known: [{near[0]}])", hint)


def _repeated(known: Knowledge, text: IniText) -> Iterator[Finding]:
    """Assignments that a later one of the same option overrules with another value."""
    last: dict[tuple[str, str], Assignment] = {(item.section, _key(item.option)): item for item in text.assignments}
    for item in text.assignments:
        types = known.options.get(item.section, {})
        later = last[item.section, _key(item.option)]
        if item.value != later.value and types.get(_key(item.option), "m") != "m":
            yield _finding("warning", item, f"overruled by line {later.start + 1}", "keep the one that is meant")


def _wrong(type: Any, value: str) -> str:
    """Why `value` is none of the option's type; empty when it is, or refers to another option."""
    if "$" in value or not value.strip():
        return ""
    if isinstance(type, list) and type[0] not in _CHECKS:
        chosen = {choice.lower() for choice in type}
        return "" if value.lower() in chosen else f"{value[:SHOWN]!r} is none of {', '.join(filter(None, type))}"
    letter, *bounds = type if isinstance(type, list) else [type]
    check = _CHECKS.get(letter)
    return check(value.strip(), *bounds) if check else ""


def _boolean(value: str) -> str:
    return "" if value.lower() in BOOLEANS else f"{value[:SHOWN]!r} is neither true nor false"


def _number(kind: Callable[[str], float], name: str) -> Callable[..., str]:
    def check(value: str, least: float | None = None, most: float | None = None) -> str:
        try:
            found = kind(value)
        except ValueError:
            return f"{value[:SHOWN]!r} is no {name}"
        if (least is not None and found < least) or (most is not None and found > most):
            return f"{value} is not within {'…' if least is None else least} to {'…' if most is None else most}"
        return ""

    return check


def _port(value: str) -> str:
    return _number(int, "port")(value, 0, 65535)


def _pairs(value: str) -> str:
    bad = [part for part in value.split(",") if part.strip() and ":" not in part]
    return f"{bad[0].strip()[:SHOWN]!r} is no KEY:VALUE" if bad else ""


_CHECKS: dict[str, Callable[..., str]] = {
    "b": _boolean,
    "i": _number(int, "whole number"),
    "f": _number(float, "number"),
    "p": _port,
    "d": _pairs,
}


def _said(text: IniText, section: str) -> dict[str, str]:
    return {_key(item.option): item.value for item in text.assignments if item.section == section}


def _key(option: str) -> str:
    return option.replace("-", "_")


def _finding(level: str, item: Assignment, summary: str, hint: str) -> Finding:
    return Finding(level, item.start + 1, item.section, item.option, summary, hint)
