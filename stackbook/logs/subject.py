"""What a trace is about: found by id, name, request id or run, with all that hangs together with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from stackbook.errors import BadInput
from stackbook.logs.asking import Answers, Row

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
REQUEST = re.compile(rf"req-{UUID.pattern}")
KINDS: dict[str, tuple[str, str, str]] = {
    "server": ("compute", "/servers/{}", "server"),
    "port": ("network", "/ports/{}", "port"),
    "volume": ("block_storage", "/volumes/{}", "volume"),
    "image": ("image", "/images/{}", ""),
    "network": ("network", "/networks/{}", "network"),
    "subnet": ("network", "/subnets/{}", "subnet"),
    "router": ("network", "/routers/{}", "router"),
}
"""Kind to service, path of one, and the key that holds it."""
NAMED: dict[str, tuple[str, str, str]] = {
    "server": ("compute", "/servers/detail?all_tenants=True&name=%5E{}%24", "servers"),
    "volume": ("block_storage", "/volumes/detail?all_tenants=True&name={}", "volumes"),
    "port": ("network", "/ports?name={}", "ports"),
    "network": ("network", "/networks?name={}", "networks"),
    "image": ("image", "/images?name={}", "images"),
    "router": ("network", "/routers?name={}", "routers"),
}
"""Kind to service, path of those of a name, and the key of the list."""
ACTIONS = 30
"""Instance actions, newest first, whose requests are followed."""


@dataclass
class Subject:
    """What is traced."""

    given: str
    """As it was asked for."""
    kind: str
    """``server``, ``port``, ``volume``, … as the APIs call it; ``request``; ``run``; ``id`` when no API knows it."""
    id: str
    name: str = ""
    row: Row = field(default_factory=dict)
    """What its API tells about it."""
    related: dict[str, list[Row]] = field(default_factory=dict)
    """Kind to rows of what belongs to it: ports, volumes, image, actions."""
    ids: list[str] = field(default_factory=list)
    """Ids of it and of what belongs to it."""
    requests: list[str] = field(default_factory=list)
    """Ids of the requests that changed it, newest first."""

    @property
    def title(self) -> str:
        """For a reader: kind, name, id."""
        return " ".join(filter(None, (self.kind, self.name, self.id if self.id != self.name else "")))

    @property
    def status(self) -> str:
        """As its API tells it; empty when none does."""
        return str(self.row.get("status") or "")

    @property
    def wrong(self) -> bool:
        """Whether its API says that it failed."""
        return "error" in self.status.lower() or bool(self.row.get("fault"))

    @property
    def error(self) -> Row:
        """Of a run that failed, its own words: type, what, found, hint."""
        return dict(self.row.get("error") or {}) if self.kind == "run" else {}

    @property
    def error_text(self) -> str:
        """The same on one line: what, and what was found."""
        found = self.error.get("found") or ""
        listed = "; ".join(map(str, found)) if isinstance(found, (list, tuple)) else str(found)
        return ": ".join(filter(None, (str(self.error.get("what") or ""), listed)))

    @property
    def host(self) -> str:
        """The host that it is on; empty when it is on none."""
        return str(self.row.get("OS-EXT-SRV-ATTR:host") or self.row.get("binding:host_id") or "").partition("@")[0]

    @property
    def begun(self) -> datetime | None:
        """When it was made."""
        return moment(self.row.get("created") or self.row.get("created_at"))

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "given": self.given,
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "host": self.host,
        }


def moment(text: Any) -> datetime | None:
    """A time as APIs write it, in UTC; None when it is none."""
    try:
        found = datetime.fromisoformat(str(text).replace(" ", "T"))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def subjects(given: str, answers: Answers, run: Row | None = None) -> Subject:
    """The subject that `given` names; `run` is what is known of it where it is a run: its id, runbook, request_id, error.

    Raises BadInput for a name that several things have, and for one that nothing has.
    """
    if run:
        return Subject(given, "run", run["run"], run["runbook"], run, requests=[run["request_id"]])
    if REQUEST.fullmatch(given):
        return Subject(given, "request", given, requests=[given])
    if UUID.fullmatch(given.lower()):
        return _by_id(given.lower(), answers)
    return _by_name(given, answers)


def _by_id(id: str, answers: Answers) -> Subject:
    for kind, (service, path, key) in KINDS.items():
        told = answers.get(service, path.format(id))
        row = told.get(key) if told and key else told
        if row:
            return related(Subject(id, kind, id, str(row.get("name") or ""), row), answers)
    return Subject(id, "id", id, ids=[id])


def _by_name(name: str, answers: Answers) -> Subject:
    if not answers.reachable:
        why = "; ".join(row.reason for row in answers.skipped)
        raise BadInput(f"{name!r} is no id, and the cloud can't be asked for that name", found=why, hint="stackbook trace UUID")
    found = list(_named(name, answers))
    if not found:
        raise BadInput(
            f"{name!r} is no server, volume, port, network, image or router, no request and no run",
            hint="give a name, a UUID, a request id or a run; stackbook inventory lists what there is",
        )
    most_likely = found[0][0]
    alike = [row for kind, row in found if kind == most_likely]
    if len(alike) > 1:
        listed = [f"{most_likely} {row['id']} ({row.get('status')})" for row in alike]
        raise BadInput(f"{len(alike)} {most_likely}s are named {name!r}", found=listed, hint="stackbook trace ID")
    row = alike[0]
    return related(Subject(name, most_likely, row["id"], name, row), answers)


def _named(name: str, answers: Answers) -> Iterable[tuple[str, Row]]:
    for kind, (service, path, key) in NAMED.items():
        exact = re.escape(name) if kind == "server" else name
        yield from ((kind, row) for row in answers.rows(service, path.format(quote(exact)), key) if row.get("name") == name)


def related(subject: Subject, answers: Answers) -> Subject:
    """The subject with the ids of what belongs to it and of the requests that changed it."""
    _RELATED.get(subject.kind, lambda *_: None)(subject, answers)
    parts = [row["id"] for kind in ("ports", "volumes") for row in subject.related.get(kind, ())]
    subject.ids = list(dict.fromkeys([subject.id, *parts]))
    return subject


def _of_server(subject: Subject, answers: Answers) -> None:
    id = subject.id
    subject.related["ports"] = answers.rows("network", f"/ports?device_id={id}", "ports")
    attached = [entry["id"] for entry in subject.row.get("os-extended-volumes:volumes_attached") or ()]
    volumes = [answers.one("block_storage", f"/volumes/{volume}", "volume") for volume in attached]
    subject.related["volumes"] = [row for row in volumes if row]
    image = (subject.row.get("image") or {}).get("id") if isinstance(subject.row.get("image"), dict) else None
    subject.related["images"] = [row for row in [answers.get("image", f"/images/{image}") if image else None] if row]
    actions = answers.rows("compute", f"/servers/{id}/os-instance-actions", "instanceActions")[:ACTIONS]
    newest = actions[0]["request_id"] if actions else ""
    told = answers.one("compute", f"/servers/{id}/os-instance-actions/{newest}", "instanceAction") if newest else None
    subject.related["actions"] = [told or actions[0], *actions[1:]] if actions else []
    subject.requests = list(dict.fromkeys(action["request_id"] for action in actions))


def _of_volume(subject: Subject, answers: Answers) -> None:
    id = subject.id
    messages = answers.rows("block_storage", f"/messages?resource_uuid={id}", "messages")
    subject.related["messages"] = [row for row in messages if row.get("resource_uuid") == id]
    subject.requests = list(dict.fromkeys(row["request_id"] for row in subject.related["messages"] if row.get("request_id")))


def _of_port(subject: Subject, _: Answers) -> None:
    subject.related["ports"] = [subject.row]


_RELATED = {"server": _of_server, "volume": _of_volume, "port": _of_port}
