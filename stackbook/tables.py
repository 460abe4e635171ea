"""Tables of a runbook: what is there before, what stands in the way, and that nothing else changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from stackbook.errors import BadInput, Refused
from stackbook.plans import Change, Plan
from stackbook.proof import Proof
from stackbook.render.frame import Frame, frame, survey_html, survey_text
from stackbook.site import Site

if TYPE_CHECKING:
    from stackbook.engine.planning import Planned

Row = Mapping[str, Any]
Rows = list[dict[str, Any]]

STATES = re.compile(r"(?:.*_)?(?:status|state|alive|is_alive|health)")
"""Columns that say how something is doing: a change matters only when it is for the worse."""
PASSING = re.compile(
    r".*_at|.*_time|revision(?:_number)?|progress|uptime|.*heartbeat.*|.*timestamp"
    r"|(?:.*_)?(?:used|usage|in_use|free|available|reserved|allocated|provisioned|running|workload|load|least|count)(?:_.*)?"
    r"|links|location|etag"
)
"""Columns that change by themselves: times, counters, usage."""
HOSTED = re.compile(r".*(?:agents|services|hypervisors|hosts)")
"""Kinds whose rows tell what runs on a host: they follow from a change of its files and services."""
BAD = re.compile(r"(?:.*_)?(?:error|down|dead|killed|failed|false)(?:_.*)?", re.IGNORECASE)
TOKEN = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}"
    r"|\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}"
)
"""An id, MAC or IP address: what rows refer to one another by."""


class Survey(Mapping[str, Frame]):
    """The facts of a site by kind, each a DataFrame; `rows` has them as the cloud told them.

    Several kinds at once, ``found["pools", "hypervisors"]``, are a survey of these.
    """

    def __init__(self, rows: Mapping[str, Sequence[Row]]) -> None:
        self.rows: dict[str, Rows] = {kind: [dict(row) for row in listed] for kind, listed in rows.items()}
        self._frames: dict[str, Frame] = {}

    @overload
    def __getitem__(self, kind: str, /) -> Frame: ...

    @overload
    def __getitem__(self, kind: tuple[str, ...], /) -> Survey: ...

    def __getitem__(self, kind: str | tuple[str, ...], /) -> Frame | Survey:
        if isinstance(kind, tuple):
            return Survey({each: self._rows(each) for each in kind})
        if kind not in self._frames:
            self._frames[kind] = frame(self._rows(kind))
        return self._frames[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return survey_text(self.rows)

    def _repr_html_(self) -> str:
        return survey_html(self.rows)

    def _rows(self, kind: str) -> Rows:
        if kind not in self.rows:
            raise BadInput(f"{kind!r} was not surveyed (surveyed: {', '.join(self.rows) or 'nothing'})")
        return self.rows[kind]


def survey(site: Site, *kinds: str) -> Survey:
    """What the site has of each of `kinds`, such as ``networks``, ``ports``, ``servers``; of all kinds when none is named.

    Keys are as the API names them.
    """
    from stackbook.resources.inventory import collect

    return Survey(collect(site, kinds))


def preflight(*checks: Iterable[Row]) -> Proof:
    """The rows of all checks in one table of what stands in the way: check, found, expected, hint.

    Shown as a green line when there are none. It does not raise: the plan is still computed and shown, and apply refuses.
    A check that raises Refused contributes that as its row.
    """
    return Proof("nothing in the way", [_told(row) for check in checks for row in _tried(check)])


def untouched(before: Survey, site: Site, planned: Planned) -> Proof:
    """Survey the same kinds again: what differs and the plan does not explain is a row.

    Compared by id over what people set; counters, times, and states that did not get worse are left out. Explained by the
    plan: what it names or made, and rows and fields that refer to that. Raises ProofFailed when a row is left.
    """
    after = survey(site, *before)
    rows = differences(before.rows, after.rows, explained(planned.plan, site.run.events(), before.rows, after.rows))
    site.run.write("untouched", rows=rows)
    return Proof("nothing else changed", rows).hold()


@dataclass(frozen=True)
class Explained:
    """What a plan explains."""

    tokens: frozenset[str]
    """Ids, addresses and names of what the plan is about."""
    named: frozenset[tuple[str, str]]
    """Kind (as surveyed) and name of its resources."""
    hosts: frozenset[str]
    """Hosts whose files or services it changes."""

    def row(self, kind: str, row: Row) -> bool:
        """Whether the plan is about this row."""
        return str(row.get("id")) in self.tokens or (kind, str(row.get("name"))) in self.named

    def follows(self, kind: str, row: Row) -> bool:
        """Whether the row is there, or gone, because of the plan: it refers to something the plan is about."""
        return self.row(kind, row) or any(token in self.tokens for value in row.values() for token in references(value))

    def binds(self, *rows: Row) -> bool:
        """Whether a port was taken or given back by a server or router of the plan: neutron fills its other columns."""
        return any(str(row.get("device_id")) in self.tokens for row in rows)

    def on_host(self, kind: str, row: Row) -> bool:
        """Whether the row tells what runs on a host that the plan changes."""
        return bool(HOSTED.fullmatch(kind)) and any(
            str(row.get(name)) in self.hosts for name in ("host", "host_name", "hypervisor_hostname", "name")
        )


def explained(plan: Plan, events: Iterable[Mapping[str, Any]], *surveys: Mapping[str, Rows]) -> Explained:
    """What `plan` explains, with the ids that the journal says it made, and the addresses those have in `surveys`."""
    memos = [event.get("memo") or {} for event in events if event.get("event") == "done"]
    parts = [*memos, *({"id": change.id, **change.before, **change.after, **change.resource} for change in plan)]
    tokens = {token for part in parts for value in part.values() for token in references(value)}
    named = {(plural(str(change.resource["kind"])), str(value)) for change in plan for value in _names(change)}
    hosts = {str(change.resource["host"]) for change in plan if change.resource.get("host")}
    found = Explained(frozenset(tokens), frozenset(named), frozenset(hosts))
    own = {token for rows in surveys for kind, row in _all(rows) if found.row(kind, row) for token in _own_addresses(row)}
    return Explained(frozenset(tokens | own), found.named, found.hosts)


def differences(before: Mapping[str, Rows], after: Mapping[str, Rows], plan: Explained) -> Rows:
    """Rows added, removed or changed between two surveys that `plan` does not explain."""
    return [row for kind in before for row in _kind(kind, before[kind], after.get(kind, []), plan)]


def plural(kind: str) -> str:
    """The name under which resources of `kind` are surveyed: ``security-group`` is in ``security_groups``."""
    name = kind.replace("-", "_")
    return name[:-1] + "ies" if name.endswith("y") else name + "s"


def references(value: Any) -> Iterator[str]:
    """The ids and addresses in a value, however deep."""
    if isinstance(value, str):
        if TOKEN.fullmatch(value.lower()):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from references(item)


def _kind(kind: str, before: Rows, after: Rows, plan: Explained) -> Iterator[dict[str, Any]]:
    old, new = _by_id(before), _by_id(after)
    for key, row in old.items():
        if key not in new and not plan.follows(kind, row):
            yield _difference(kind, row, "removed")
    for key, row in new.items():
        if key not in old:
            if not plan.follows(kind, row):
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
    return None if value in ("", None) or (isinstance(value, str) and value in plan.tokens) else value


def _about(name: Any, item: Any, plan: Explained) -> bool:
    if str(name) in plan.tokens:
        return True
    flat = item.values() if isinstance(item, Mapping) else [item]
    return any(isinstance(part, str) and part in plan.tokens for part in flat)


def _difference(kind: str, row: Row, what: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": row.get("name"), "id": row.get("id"), "what": what, **more}


def _by_id(rows: Rows) -> dict[str, Row]:
    return {str(row.get("id") or row.get("name") or row): row for row in rows}


def _all(rows: Mapping[str, Rows]) -> Iterator[tuple[str, Row]]:
    for kind, listed in rows.items():
        for row in listed:
            yield kind, row


def _own_addresses(row: Row) -> Iterator[str]:
    """The addresses of a row itself, not the ids it refers to: those belong to others."""
    for name, value in row.items():
        if "address" in str(name) or "ip" in str(name):
            yield from (token for token in references(value) if ":" in token or "." in token)


def _names(change: Change) -> list[Any]:
    return [value for name, value in change.resource.items() if name == "name"]


def _tried(check: Iterable[Row]) -> Rows:
    try:
        return [dict(row) for row in check]
    except Refused as error:
        return [{"check": "possible", "found": error.what, "expected": error.found, "hint": error.hint}]


def _told(row: Row) -> dict[str, Any]:
    ordered = {name: row.get(name, "") for name in ("check", "found", "expected", "hint")}
    return {**ordered, **{name: value for name, value in row.items() if name not in ordered}}
