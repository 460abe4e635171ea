"""Tables of a runbook: what is there before, what stands in the way, and that nothing else changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from stackbook.errors import Refused
from stackbook.proof import Proof
from stackbook.site import Site
from stackbook.tables.differences import differences
from stackbook.tables.explained import explained, whole
from stackbook.tables.limits import limits
from stackbook.tables.running import what_runs
from stackbook.tables.surveys import Survey, compared, survey

if TYPE_CHECKING:
    from stackbook.engine.planning import Planned

__all__ = ["Survey", "limits", "preflight", "survey", "untouched", "what_runs"]
Row = Mapping[str, Any]


def preflight(*checks: Iterable[Row]) -> Proof:
    """The rows of all checks in one table of what stands in the way: check, found, expected, hint.

    Shown as a green line when there are none. It does not raise: the plan is still computed and shown, and apply refuses.
    A check that raises Refused contributes that as its row.
    """
    return Proof("nothing in the way", [_told(row) for check in checks for row in _tried(check)])


def untouched(before: Survey, site: Site, planned: Planned) -> Proof:
    """Survey the same kinds again: what differs and the plan does not explain is a row.

    Compared by id over what people set; counters, times, and states that did not get worse are left out. Explained by the
    plan: what it names or made, and rows and fields that refer to that. A resumed run is compared with what its first attempt
    found, and explained by all that was approved. Raises ProofFailed when a row is left.
    """
    (was, after), events = compared(before, site), site.run.events()
    rows = differences(was, after, explained(whole(planned.plan, events), events, was, after))
    site.run.write("untouched", rows=rows)
    return Proof("nothing else changed", rows).hold()


def _tried(check: Iterable[Row]) -> list[dict[str, Any]]:
    try:
        return [dict(row) for row in check]
    except Refused as error:
        return [{"check": "possible", "found": error.what, "expected": error.found, "hint": error.hint}]


def _told(row: Row) -> dict[str, Any]:
    ordered = {name: row.get(name, "") for name in ("check", "found", "expected", "hint")}
    return {**ordered, **{name: value for name, value in row.items() if name not in ordered}}
