"""What a plan explains of the differences between two surveys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from stackbook.plans import Change, Plan, Resource

Row = Mapping[str, Any]
Rows = list[dict[str, Any]]
Event = Mapping[str, Any]

HOSTED = re.compile(r".*(?:agents|services|hypervisors|hosts)")
"""Kinds whose rows tell what runs on a host: they follow from a change of its files and services."""
BORROWED = frozenset({"quota", "role-assignment"})
"""Kinds without an id of their own: what their changes carry is the id of a project or user, which the plan is not about."""
ADDRESS = re.compile(
    r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}", re.IGNORECASE
)
"""A MAC or IP address."""


@dataclass(frozen=True)
class Explained:
    """What a plan explains."""

    ids: frozenset[tuple[str, str]]
    """Kind (as surveyed) and id of its resources."""
    made: frozenset[str]
    """Ids of what it made, replaced or removed: rows that refer to one of them came or went with it."""
    addresses: frozenset[str]
    """IP and MAC addresses of its resources."""
    unnamed: tuple[tuple[str, frozenset[str]], ...]
    """Kind and identity of the resources whose id is not known."""
    hosts: frozenset[str]
    """Hosts whose files or services it changes."""

    def row(self, kind: str, row: Row) -> bool:
        """Whether the plan is about this row."""
        if (kind, str(row.get("id"))) in self.ids:
            return True
        said = frozenset(texts(row)) if any(kind == named for named, _ in self.unnamed) else frozenset[str]()
        return any(kind == named and identity <= said for named, identity in self.unnamed)

    def follows(self, kind: str, row: Row) -> bool:
        """Whether the row came or went with the plan: it refers to what was made or removed, or serves what was changed."""
        return self.row(kind, row) or self.binds(row) or not self.made.isdisjoint(texts(row))

    def binds(self, *rows: Row) -> bool:
        """Whether a port was taken or given back by a server or router of the plan: neutron fills its other columns."""
        return any(self.mentions(str(row.get("device_id"))) for row in rows)

    def mentions(self, text: str) -> bool:
        """Whether `text` is the id or an address of something that the plan is about."""
        return text in self.addresses or text in self._every_id

    def on_host(self, kind: str, row: Row) -> bool:
        """Whether the row tells what runs on a host that the plan changes."""
        if kind == "pools":  # host@backend#pool
            return str(row.get("name")).partition("@")[0] in self.hosts
        named = ("host", "host_name", "hypervisor_hostname", "name")
        return bool(HOSTED.fullmatch(kind)) and any(str(row.get(name)) in self.hosts for name in named)

    @cached_property
    def _every_id(self) -> frozenset[str]:
        return frozenset(id for _, id in self.ids)


def explained(plan: Plan, events: Iterable[Event], *surveys: Mapping[str, Rows]) -> Explained:
    """What `plan` explains, with the ids that the run's journal says it made, and the addresses that those have in `surveys`."""
    memos: dict[str, set[str]] = {}
    for event in events:
        if event.get("event") == "done" and (event.get("memo") or {}).get("id"):
            memos.setdefault(str(event["address"]), set()).add(str(event["memo"]["id"]))
    found = _of(plan, memos)
    own = {
        address
        for rows in surveys
        for kind, listed in rows.items()
        for row in listed
        if found.row(kind, row)
        for address in _own(row)
    }
    return replace(found, addresses=found.addresses | own)


def whole(plan: Plan, events: Iterable[Event]) -> Plan:
    """`plan` with what was approved in earlier attempts of its run: that fell out of it once it was made."""
    approved = [Change.revive(dict(found)) for event in events if event.get("event") == "approved" for found in event["changes"]]
    return replace(plan, changes=(*(change for change in approved if change not in plan.changes), *plan.changes))


def plural(kind: str) -> str:
    """The name under which resources of `kind` are surveyed: ``security-group`` is in ``security_groups``."""
    name = kind.replace("-", "_")
    return name[:-1] + "ies" if name.endswith("y") else name + "s"


def texts(value: Any) -> Iterator[str]:
    """All strings in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from texts(item)


def _of(plan: Plan, memos: Mapping[str, set[str]]) -> Explained:
    ids: set[tuple[str, str]] = set()
    made: set[str] = set()
    addresses: set[str] = set()
    unnamed: list[tuple[str, frozenset[str]]] = []
    for change in plan:
        kind = str(change.resource.get("kind", ""))
        known = {id for id in (change.id, *memos.get(change.address, ())) if id and kind not in BORROWED}
        ids |= {(plural(kind), id) for id in known}
        made |= known if change.action != "update" else set()
        addresses |= {
            text for part in (change.before, change.after, change.resource) for text in texts(part) if ADDRESS.fullmatch(text)
        }
        if not known and (identity := _identity(change, kind)):
            unnamed.append((plural(kind), identity))
    hosts = {str(change.resource["host"]) for change in plan if change.resource.get("host")}
    return Explained(frozenset(ids), frozenset(made), frozenset(addresses), tuple(unnamed), frozenset(hosts))


def _identity(change: Change, kind: str) -> frozenset[str]:
    """What tells a resource from others of its kind; its name where the kind is not known here."""
    fields = Resource.kinds[kind].identity if kind in Resource.kinds else ("name",)
    return frozenset(str(change.resource[name]) for name in fields if change.resource.get(name) is not None)


def _own(row: Row) -> Iterator[str]:
    """The addresses of a row itself."""
    for name, value in row.items():
        if "address" in str(name) or "ip" in str(name):
            yield from (text for text in texts(value) if ADDRESS.fullmatch(text))
