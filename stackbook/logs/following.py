"""What a trace follows: which records are about its subject, and which further ids they name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from stackbook.logs.chain import Hit
from stackbook.logs.event import LogEvent
from stackbook.logs.evidence import told
from stackbook.logs.signatures import Signatures
from stackbook.logs.subject import REQUEST, UUID, Subject


def harvest(subject: Subject, events: Iterable[LogEvent], known: Signatures) -> list[str]:
    """Further ids to search for: requests that worked on the subject, and ports, volumes, images that its failures name.

    Requests that only read (GET) are left out, and so are a service's own periodic ones.
    """
    found: list[str] = []
    for event in events:
        if not ours(subject, event) or not acts(event):
            continue
        found += [id for id in event.request_ids if REQUEST.fullmatch(id)]
        for _, values in known.matching(told(event)):
            found += [values[name] for name in ("port", "volume") if UUID.fullmatch(values.get(name, ""))]
    return list(dict.fromkeys(found))


def acts(event: LogEvent) -> bool:
    """Whether the record is of a request that changes something: of a user's request, and no GET."""
    whose = event.global_request_id or event.user or event.instance
    return bool(whose or serious(event)) and not _READS.search(event.message[:300])


_READS = re.compile(r'"?(?:GET|HEAD) (?:/|http)|GET: /|returned with HTTP \d')
"""What APIs log of requests that only read; the last is told of others, too, after a line of their own."""


def serious(event: LogEvent) -> bool:
    """Whether it tells of a failure."""
    return event.level in ("ERROR", "CRITICAL")


def ours(subject: Subject, event: LogEvent) -> bool:
    """Whether the record is about the subject, and not about another server of the same request."""
    return subject.kind != "server" or event.instance in (None, "", subject.id) or subject.id in event.message


def about(subject: Subject, hit: Hit) -> bool:
    """Whether what `hit` tells is about the subject, or names no other."""
    return hit.evidence.values.get(subject.kind, subject.id) == subject.id
