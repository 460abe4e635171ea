"""Evidence matched with the signatures: lines of logs, what the APIs call a failure, and what no signature knows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from stackbook.logs.chain import Hit
from stackbook.logs.event import LogEvent, in_order
from stackbook.logs.evidence import Evidence, from_event, told
from stackbook.logs.following import serious
from stackbook.logs.signatures import Signatures
from stackbook.logs.subject import UUID, Subject, moment


def matched(events: Iterable[LogEvent], known: Signatures, *, linked: bool) -> list[Hit]:
    """Each event with each signature that it is a case of."""
    hits = []
    for event in events:
        for signature, values in known.matching(told(event)):
            evidence = from_event(event, linked=linked, values={**_implied(event), **values})
            hits.append(Hit(signature, evidence))
    return hits


JOURNAL = "journal"
"""The file of an event that journald tells."""


def over(hit: Hit, events: Iterable[LogEvent], until: datetime) -> bool:
    """Whether what `hit` tells had come to an end on its host before `until`."""
    if not hit.signature.over or hit.evidence.time is None:
        return False
    ending = re.compile(hit.signature.over)
    entry = hit.evidence.event
    printed = entry is not None and entry.file == JOURNAL  # what follows there is the rest of the complaint
    same = (
        event
        for event in events
        if (event.host, event.service) == (hit.evidence.host, hit.evidence.service) and not (printed and event.file == JOURNAL)
    )
    return any(event.time and hit.evidence.time < event.time < until and ending.search(event.message) for event in same)


def _implied(event: LogEvent) -> dict[str, str]:
    """What a record names without a word: the server by its tag, the host by the service that logs it."""
    implied = {"server": event.instance} if event.instance else {}
    if event.service == "nova-compute" or event.service.endswith("-agent"):
        implied["host"] = event.host
    return implied


def told_failures(subject: Subject, known: Signatures) -> list[Hit]:
    """What the APIs, and a run itself, call the subject's failure, matched like a line of a log."""
    told = subject.row.get("fault") or {}
    texts = [("API: server fault", told.get("message"), told.get("created"), "")]
    texts += [("the run itself", subject.error_text, subject.row.get("ended"), "")] if subject.error else []
    texts += [
        ("API: volume message", row.get("user_message"), row.get("created_at"), "") for row in subject.related.get("messages", ())
    ]
    for action in subject.related.get("actions", ())[:1]:
        texts += [
            (f"API: instance event {one['event']}", one.get("details"), one.get("finish_time"), one.get("host"))
            for one in action.get("events") or ()
        ]
    hits = []
    for what, text, created, host in texts:
        for signature, values in known.matching(str(text or "")):
            evidence = Evidence(
                str(host or ""),
                what,
                moment(created),
                str(text),
                values={**values, subject.kind: subject.id},
            )
            hits.append(Hit(signature, evidence))
    return hits


def unexplained(events: Iterable[LogEvent], known: set[int], signatures: Signatures) -> list[Evidence]:
    """Errors that no signature knows, each text once, the last first."""
    found: dict[str, Evidence] = {}
    for event in in_order(events):
        text = told(event)
        if serious(event) and id(event) not in known and not signatures.quiet.search(text):
            found[f"{event.logger} {UUID.sub('', text)[:200]}"] = from_event(event, linked=True, values={})
    return list(reversed(found.values()))
