"""Plans, proofs and outcomes for a terminal."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from stackbook.plans import Change, Plan, Values
from stackbook.render.values import SITE_CHOOSES, UNSET, cell_text, one_line, shown, visible

SIGNS = {"create": "+", "update": "~", "replace": "-/+", "delete": "-"}
MANY_LINES = 2000
"""Lines between the first and the last difference above which two versions of a text are shown whole instead of compared."""
MOST_LINES = 200
"""Lines of one text's differences that are shown; the rest is counted."""
UNENDED = "(no line break at the end)"
WIDEST = 60
"""Characters of one cell of a table in a terminal."""
_COLOURS = {
    "create": "32",
    "update": "33",
    "replace": "35",
    "delete": "31",
    "good": "32",
    "bad": "31",
    "quiet": "2",
    "strong": "1",
}


Paint = Callable[[str, str], str]
"""Gives a text the colour of a style, or leaves it."""


class Claimed(Protocol):
    """A proof: rows that contradict a claim."""

    claim: str

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The counterexamples."""

    def __len__(self) -> int:
        """How many counterexamples there are."""


def colours(stream: Any = None) -> bool:
    """Whether `stream` (standard output) shows colours: a terminal, and NO_COLOR unset."""
    stream = stream or sys.stdout
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and bool(getattr(stream, "isatty", bool)())


def plan_text(plan: Plan, *, colour: bool = False) -> str:
    """The plan as a diff: a line per change, a line per field, then the counts and the digest that approves it."""
    paint = _painter(colour)
    if not len(plan):
        kept = f", {plan.kept} as they should be" if plan.kept else ""
        return paint("good", f"Nothing to do on {one_line(plan.site)}{kept}") + f"  ({plan.digest})"
    blocks = "\n".join(line for change in plan for line in _change_lines(change, paint))
    return f"{blocks}\n\n{_plan_line(plan, paint)}"


def proof_text(proof: Claimed, *, colour: bool = False) -> str:
    """One line when the table is empty, as expected; else the rows that contradict."""
    paint = _painter(colour)
    if not len(proof):
        return paint("good", f"✓ {one_line(proof.claim)}: empty, as expected")
    return paint("bad", f"✗ expected: {one_line(proof.claim)}; found {len(proof)}") + "\n" + table_text(list(proof))


def table_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as columns; numbers right-aligned, long values cut."""
    listed = [dict(row) for row in rows]
    names = list(dict.fromkeys(name for row in listed for name in row))
    cells = [[one_line(cell_text(row.get(name))) for name in names] for row in listed]
    heads = [one_line(str(name)) for name in names]
    right = [all(_number(row.get(name)) for row in listed) for name in names]
    short = [[_cut(cell) for cell in line] for line in [heads, *cells]]
    widths = [max(len(line[column]) for line in short) for column in range(len(names))]
    return "\n".join(_aligned(line, widths, right) for line in short)


def _plan_line(plan: Plan, paint: Paint) -> str:
    parts = [paint(action, f"{count} to {action}") for action, count in plan.counts.items() if count]
    if plan.kept:
        parts.append(f"{plan.kept} as they should be")
    line = f"Plan {paint('strong', plan.digest)} for {one_line(plan.site)}: {', '.join(parts)}"
    if plan.irreversible:
        line += "\n" + paint("bad", f"! {len(plan.irreversible)} can't be undone")
    return line


def _change_lines(change: Change, paint: Paint) -> Iterator[str]:
    sign = SIGNS[change.action].rjust(3)
    yield f"{paint(change.action, f'{sign} {one_line(change.address)}')}{_remarks(change, paint)}"
    width = max((len(one_line(name)) for name, _ in parts(change)), default=0)
    for name, pair in parts(change):
        yield from _field_lines(change, one_line(name).ljust(width), pair, paint)
    yield from (f"      {words}" for words in phrases(change))


def _remarks(change: Change, paint: Paint) -> str:
    reason = paint("quiet", f"  ({one_line(change.reason)})") if change.reason else ""
    return reason + ("" if change.reversible else paint("bad", "  ! can't be undone"))


def _field_lines(change: Change, name: str, pair: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    before, after = sides(change, pair)
    if "\n" in f"{before}{after}":
        yield f"      {name}"
        for sign, line in line_diff(before or "", after or ""):
            yield paint(_LINE_COLOURS[sign], f"        {sign} {line}") if sign in _LINE_COLOURS else f"        {sign} {line}"
    elif before is None or after is None:
        yield f"      {name}  {before if after is None else after}"
    else:
        yield f"      {name}  {before} → {after}"


def parts(change: Change) -> list[tuple[str, Values]]:
    """The fields that a plan shows, with before and after; of a mapping that changes, each key that does."""
    shown_fields = [(name, pair) for name, pair in change.fields.items() if name not in change.said]
    return [part for name, pair in shown_fields for part in _keys(name, pair)]


def _keys(name: str, pair: Values) -> list[tuple[str, Values]]:
    before, after = pair["before"], pair["after"]
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        return [(name, pair)]
    keys = [key for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)]
    pairs = [(str(key), before.get(key), after.get(key)) for key in keys]
    return [(key, {"before": old, "after": UNSET if new is None else new}) for key, old, new in pairs] or [(name, pair)]


def phrases(change: Change) -> list[str]:
    """What the change's own words say of its fields, each once."""
    return list(dict.fromkeys(one_line(words) for words in change.said.values() if words))


_LINE_COLOURS = {"+": "create", "-": "delete"}


def sides(change: Change, pair: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """A field's before and after as text; None on the side that a creation or deletion does not have.

    Where one is of several lines, both are whole, to be compared line by line.
    """
    whole = any(isinstance(value, str) and "\n" in value.strip("\n") for value in pair.values())
    before = None if change.action == "create" else _side(pair["before"], UNSET, whole)
    after = None if change.action == "delete" else _side(pair["after"], SITE_CHOOSES, whole)
    return before, after


def _side(value: Any, nothing: str, whole: bool) -> str:
    return visible(value) if whole and isinstance(value, str) else shown(value, nothing)


def line_diff(before: str, after: str) -> list[tuple[str, str]]:
    """Pairs of sign (``+``, ``-``, space, or ``@`` where lines are left out) and line, with two lines around each change."""
    old, new = _ended_lines(before, after), _ended_lines(after, before)
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    head, tail = max(head - 2, 0), max(tail - 2, 0)
    middle = (old[head : len(old) - tail], new[head : len(new) - tail])
    if not old or not new or max(map(len, middle)) > MANY_LINES:
        return _clipped([*(("-", line) for line in old), *(("+", line) for line in new)])
    return _clipped(list(_hunks(*middle, head, tail)))


def _ended_lines(text: str, other: str) -> list[str]:
    """The text's lines; the last one marked where it is the only one of both that does not end."""
    lines = text.splitlines()
    return [*lines, UNENDED] if lines and other.endswith("\n") and not text.endswith("\n") else lines


def _alike(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines both begin with."""
    return next((n for n, (was, now) in enumerate(zip(old, new, strict=False)) if was != now), min(len(old), len(new)))


def _clipped(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    left = len(lines) - MOST_LINES
    return lines if left <= 0 else [*lines[:MOST_LINES], ("@", f"{left:,} more lines")]


def _hunks(old: Sequence[str], new: Sequence[str], head: int, tail: int) -> Iterator[tuple[str, str]]:
    """The differences of two texts of which `head` lines before and `tail` lines after are alike."""
    end = -head
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(2):
        if group[0][1] > end:
            yield "@", f"{group[0][1] - end} lines alike"
        end = group[-1][2]
        for tag, first, last, begin, until in group:
            if tag == "equal":
                yield from ((" ", line) for line in old[first:last])
                continue
            yield from (("-", line) for line in old[first:last])
            yield from (("+", line) for line in new[begin:until])
    if len(old) + tail > end:
        yield "@", f"{len(old) + tail - end} lines alike"


def _painter(colour: bool) -> Paint:
    def paint(style: str, text: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if colour else text

    return paint


def _number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _cut(cell: str) -> str:
    return cell if len(cell) <= WIDEST else cell[: WIDEST - 1] + "…"


def _aligned(line: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = (cell.rjust(width) if flush else cell.ljust(width) for cell, width, flush in zip(line, widths, right, strict=True))
    return "  " + "  ".join(cells).rstrip()
