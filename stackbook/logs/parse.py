"""Log lines of every known form, as records.

Knows oslo.log's forms from 2012 to today (two request ids, one, none; TRACE lines; JSON), and what others put around them:
journald, Kubernetes, Kolla, Apache, syslog, the samples of loghub. No line is lost: what has no known form becomes a record
with its text as message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from stackbook.logs.attach import Attacher, Record, Text
from stackbook.logs.event import Limits, LogEvent
from stackbook.logs.find import service_of
from stackbook.logs.lines import KUBERNETES, LINE_LIMIT, Head, Times, head_of, same_head, without_colours
from stackbook.logs.raised import FRAME, exception
from stackbook.logs.structured import (
    LEVELS,
    entry_fields,
    fields_of,
    is_entry,
    moment_of,
    of_entry,
    of_oslo,
    service_of_entry,
)

INSTANCE = re.compile(r" ?\[instance: ([0-9a-fA-F-]{32,36})\] ?")
_OLD_TRACE = re.compile(r"\(\S{1,200}\): TRACE: ?")
_DEVSTACK_SUFFIX = re.compile(r" \{\{\(pid=(\d{1,10})\) [^}]{0,1000}\}\}$")


def parse_text(
    content: bytes,
    *,
    host: str = "",
    file: str = "",
    service: str = "",
    zone: tzinfo | None = UTC,
    newest: float | None = None,
    limits: Limits | None = None,
) -> list[LogEvent]:
    """All records of a log's content, in its order; each line is in one of them.

    Args:
        content: Plain text of a file.
        host: Name of the host it is from.
        file: Its path there; tells the service.
        service: The service, where the path does not tell it.
        zone: Time zone of times that name none; None for this machine's.
        newest: Seconds since the epoch that no time can be after; gives syslog's times their year.
        limits: Cuts of lines and records.
    """
    attacher = Attacher(Text(-1, 0, len(content), data=content), (limits or Limits()).record_lines)
    times, after, events = Times(zone), None, []
    for record in _records(content, attacher):
        head = record.first.head
        moment, ambiguous = times.epoch(head.stamp, newest, after) if head and head.stamp else (None, False)
        doubt = attacher.doubt(record, times)
        after = moment if moment is not None and doubt != "forged" else after
        flags = tuple(record.flags(ambiguous=ambiguous, doubt=doubt))
        blank = blank_event(host, file, service or service_of(file), record.first.start, flags=flags)
        events.append(event([record.first.text, *(line.text for line in record.others)], moment, blank))
    return events


def parse_file(path: Path, **given: Any) -> list[LogEvent]:
    """All records of a plain log file on this machine; see `parse_text`."""
    given.setdefault("file", str(path))
    given.setdefault("newest", path.stat().st_mtime)
    return parse_text(path.read_bytes(), **given)


def _records(content: bytes, attacher: Attacher) -> Iterator[Record]:
    """The records that the content's lines make, each line in one of them."""
    seen: set[int] = set()
    place = 0
    while place < len(content):
        end = content.find(b"\n", place)
        if place not in seen and (record := attacher.record(place)):
            seen.update(line.start for line in (record.first, *record.others))
            yield record
        seen.discard(place)
        place = len(content) if end < 0 else end + 1


def blank_event(host: str, file: str, service: str, offset: int, hits: Sequence[int] = (), flags: Sequence[str] = ()) -> LogEvent:
    """An event of which nothing but its place is known."""
    return LogEvent(
        time=None, host=host, service=service, level="", pid=None, logger="", global_request_id=None, request_id=None,
        user=None, instance=None, message="", traceback="", exception=None,
        file=file, offset=offset, hits=tuple(hits), flags=tuple(flags),
    )  # fmt: skip


def event(lines: Sequence[bytes], moment: float | None, blank: LogEvent) -> LogEvent:
    """The event of a record's lines, given without colours.

    Args:
        lines: The record's first line, and those attached to it.
        moment: Seconds since the epoch; None where the record has no time.
        blank: Its place.
    """
    first = lines[0][:LINE_LIMIT]
    head = head_of(first)
    blank = replace(blank, time=_utc(moment))
    if head is None:
        message, traceback = _split(_unwrapped(lines))
        return replace(blank, message=message, traceback=traceback, exception=exception(message, traceback, ""))
    if head.form == "json" and (data := fields_of(first)) is not None:
        return entry_event(entry_fields(data), blank) if is_entry(data) else of_oslo(data, blank)
    return _written(lines, head, blank)


def entry_event(entry: dict[str, str], blank: LogEvent) -> LogEvent:
    """The event of an entry of journald."""
    lines = [without_colours(line) for line in entry.get("MESSAGE", "").encode("utf-8", "surrogateescape").split(b"\n")]
    if head_of(lines[0]) is None:  # DevStack's form: the journal has the time and the process
        lines[0] = b"Jan  1 00:00:00 host unit[%d]: %s" % (int(entry.get("_PID", "") or 0), lines[0])
    blank = replace(blank, service=service_of_entry(entry) or blank.service)
    made = event(lines, moment_of(entry), blank)
    return of_entry(entry, replace(made, time=_utc(moment_of(entry))))


def _written(lines: Sequence[bytes], head: Head, blank: LogEvent) -> LogEvent:
    message, traceback = _split([_text(lines[0][head.body : LINE_LIMIT]).removeprefix(" "), *_unwrapped(lines[1:], lines[0])])
    shared, own, user = _context(_text(head.context or b""))
    instance = INSTANCE.match(message)
    message = message[instance.end() :] if instance else message
    level = LEVELS.get(head.level.decode(), head.level.decode())
    suffix = _DEVSTACK_SUFFIX.search(message[-1100:])
    return replace(
        blank,
        level=level,
        pid=int(suffix[1]) if suffix else head.pid,
        logger=_text(head.logger),
        global_request_id=shared,
        request_id=own,
        user=user,
        instance=instance[1].lower() if instance else None,
        message=message,
        traceback=traceback,
        exception=exception(message, traceback, level),
    )


def _context(context: str) -> tuple[str | None, str | None, str | None]:
    """Global and own request id of a context (two, ``None`` or ``-`` and one, one alone, or none), and the user after them."""
    words = context.split(None, 4)[:3]
    given = [word for word in words[:2] if word.startswith("req-")]
    after = words[words.index(given[-1]) + 1 :] if given else []
    user = after[0].rstrip("]") if after and after[0].rstrip("]") not in ("-", "None", "") else None
    return (given[0], given[1], user) if len(given) == 2 else (None, given[0] if given else None, user)


def _unwrapped(lines: Sequence[bytes], before: bytes = b"") -> list[str]:
    """Further lines of a record without their prefixes; the parts of a line that Kubernetes has split are put together."""
    found: list[str] = []
    partial = bool(before) and _partial(before)
    head: Head | None = None
    for line in lines:
        same = same_head(line, before, head)
        head = head if same else head_of(line)
        text = _continued(line, head)
        if partial and found:
            found[-1] += text
        else:
            found.append(text)
        partial, before = not same and _partial(line), line
    return found


def _partial(line: bytes) -> bool:
    wrapped = KUBERNETES.match(line)
    return wrapped is not None and wrapped["tag"] == b"P"


def _continued(line: bytes, head: Head | None) -> str:
    """A further line of a record without its prefix; as it is when it has none."""
    if head is None:
        wrapped = KUBERNETES.match(line)
        text = _text(line[wrapped.end() :] if wrapped else line)
        old = _OLD_TRACE.match(text)
        return text[old.end() :] if old else text
    text = _text(line[head.body :]).removeprefix(" ")
    found = INSTANCE.match(text)
    return text[found.end() :] if found else text


def _split(lines: list[str]) -> tuple[str, str]:
    """The lines of the message, and those of the traceback."""
    at = next((number for number, line in enumerate(lines) if number and line.startswith(FRAME)), len(lines))
    return "\n".join(lines[:at]), "\n".join(lines[at:]).rstrip()


def _utc(moment: float | None) -> datetime | None:
    try:
        return None if moment is None else datetime.fromtimestamp(round(moment, 6), UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
