"""What differs between two surveys and is not explained by a plan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stackbook.tables.explained import Explained

Row = Mapping[str, Any]
Rows = list[dict[str, Any]]

STATES = re.compile(r"(?:.*[_:-])?(?:status|state|alive|is_alive|health)")
"""Columns that say how something is doing: a change matters only when it is for the worse."""
PASSING = re.compile(
    r".*_at|.*_time|created|updated|revision(?:_number)?|progress|uptime|.*heartbeat.*|.*timestamp|total_volumes"
    r"|(?:.*_)?(?:used|usage|in_use|free|available|reserved|allocated|provisioned|running|workload|load|least|count)(?:_.*)?"
    r"|availability_zones|links|location|etag"
)
"""Columns that change by themselves: times, counters, usage, where something was scheduled."""
BAD = re.compile(r"(?:.*_)?(?:error|down|dead|killed|failed|false)(?:_.*)?", re.IGNORECASE)
NAMING = ("id", "service", "binary", "host", "project_id", "name")
"""Columns by which a row is found again: its id, else what else names it."""


def differences(before: Mapping[str, Rows], after: Mapping[str, Rows], plan: Explained) -> Rows:
    """Rows added, removed or changed between two surveys that `plan` does not explain."""
    return [row for kind in before for row in _kind(kind, before[kind], after.get(kind, []), plan)]


def _kind(kind: str, before: Rows, after: Rows, plan: Explained) -> Iterator[dict[str, Any]]:
    old, new = ({_key(row): row for row in rows} for rows in (before, after))
    for key, row in old.items():
        if key not in new and not plan.follows(kind, row):
            yield _difference(kind, row, "removed")
    for key, row in new.items():
        if key not in old:
            if not plan.follows(kind, row) and not plan.on_host(kind, row):
                yield _difference(kind, row, "added")
        elif not plan.row(kind, row) and not plan.binds(old[key], row):
            yield from _fields(kind, old[key], row, plan)


def _fields(kind: str, old: Row, new: Row, plan: Explained) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys([*old, *new]):
        if PASSING.fullmatch(str(name)):
            continue
        was, now = (_stripped(_settings(name, row.get(name)), plan) for row in (old, new))
        if was == now:
            continue
        worse = not STATES.fullmatch(str(name)) or (BAD.fullmatch(str(now)) and not BAD.fullmatch(str(was)))
        if worse and not plan.on_host(kind, new):
            yield _difference(kind, new, "changed", field=name, before=old.get(name), after=new.get(name))


def _settings(name: Any, value: Any) -> Any:
    """`value`; of what an agent reports of itself only what is no number: those count its ports, networks and routers."""
    if name == "configurations" and isinstance(value, Mapping):
        return {key: item for key, item in value.items() if not isinstance(item, int) or isinstance(item, bool)}
    return value


def _stripped(value: Any, plan: Explained) -> Any:
    """`value` without what refers to the plan; order of lists does not matter."""
    if isinstance(value, Mapping):
        kept = {str(name): _stripped(item, plan) for name, item in value.items() if not _about(name, item, plan)}
        return {name: item for name, item in kept.items() if item not in (None, [], {})}
    if isinstance(value, (list, tuple, set, frozenset)):
        return sorted((_stripped(item, plan) for item in value if not _about("", item, plan)), key=repr)
    return None if value in ("", None) or (isinstance(value, str) and plan.mentions(value)) else value


def _about(name: Any, item: Any, plan: Explained) -> bool:
    """Whether an entry of a mapping or list is about the plan: its name, or one of its values, is mentioned."""
    flat = item.values() if isinstance(item, Mapping) else [item]
    return plan.mentions(str(name)) or any(isinstance(part, str) and plan.mentions(part) for part in flat)


def _difference(kind: str, row: Row, what: str, **more: Any) -> dict[str, Any]:
    where = " on ".join(str(row[name]) for name in ("binary", "host") if row.get(name))
    return {
        "kind": kind,
        "name": row.get("name") or row.get("unavailable") or where or None,
        "id": row.get("id"),
        "what": what,
        **more,
    }


def _key(row: Row) -> str:
    if row.get("id"):
        return str(row["id"])
    named = [f"{name} {row[name]}" for name in NAMING if row.get(name)]
    return ", ".join(named) or repr(
        sorted((str(name), repr(value)) for name, value in row.items() if not PASSING.fullmatch(str(name)))
    )
