"""Log lines of every known form, as records.

Knows oslo.log's forms from 2012 to today (two request ids, one, none; TRACE lines; JSON), and what others put around them:
journald, Kubernetes, Kolla, Apache, syslog, the samples of loghub. No line is lost: what has no known form becomes a record
with its text as message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from stackbook.logs.attach import Attacher, Record, Text, suspicion
from stackbook.logs.event import Limits, LogEvent
from stackbook.logs.find import DEVSTACK_UNITS, service_of
from stackbook.logs.lines import KUBERNETES, LINE_LIMIT, Head, Times, head_of, without_colours

INSTANCE = re.compile(r" ?\[instance: ([0-9a-fA-F-]{32,36})\] ?")
_OLD_TRACE = re.compile(r"\(\S{1,200}\): TRACE: ?")
_RAISED = re.compile(r"(?P<name>(?:[A-Za-z_]\w{0,80}\.){0,8}[A-Za-z_]\w{0,80})(?::\s|:?$)")
_SUMMARY = re.compile(r": (?P<name>(?:[a-z_]\w{0,60}\.){0,8}[A-Z]\w{0,80}(?:Error|Exception|Failed|Failure|Timeout|Found|Refused|Invalid|Exists)?)(?::\s|$)")
_FRAME = "Traceback (most recent call last):"
_LEVELS = {"WARN": "WARNING", "TRACE": "ERROR", "NOTICE": "INFO"}
_PRIORITIES = ("CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARNING", "INFO", "INFO", "DEBUG")


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
    limits = limits or Limits()
    attacher = Attacher(Text(None, 0, len(content), content), limits.record_lines)
    times = Times(zone)
    seen: set[int] = set()
    records: list[Record] = []
    place = 0
    while place < len(content):
        end = content.find(b"\n", place)
        end = len(content) if end < 0 else end + 1
        if place not in seen and (record := attacher.record(place)):
            seen.update(line.start for line in (record.first, *record.others))
            records.append(record)
        place = end
    return _in_sequence([_event(record, attacher, times, newest, host, file, service or service_of(file)) for record in records])


def parse_file(path: Path, **given: Any) -> list[LogEvent]:
    """All records of a plain log file on this machine; see `parse_text`."""
    given.setdefault("file", str(path))
    return parse_text(path.read_bytes(), newest=path.stat().st_mtime, **given)


def _event(record: Record, attacher: Attacher, times: Times, newest: float | None, host: str, file: str, service: str) -> LogEvent:
    head = record.first.head
    moment, ambiguous = times.epoch(head.stamp, newest) if head and head.stamp else (None, False)
    cut = any(line.cut for line in (record.first, *record.others))
    doubt = suspicion(record, *attacher.neighbours(record, 3), times)
    flags = [flag for flag, given in (("headless", head is None), ("ambiguous-time", ambiguous), ("cut", cut)) if given]
    return event(
        [record.first.text, *(line.text for line in record.others)],
        moment, host=host, file=file, service=service, offset=record.first.start, hits=(),
        flags=(*flags, doubt) if doubt else tuple(flags),
    )  # fmt: skip


def event(
    lines: Sequence[bytes],
    moment: float | None,
    *,
    host: str,
    file: str,
    service: str,
    offset: int,
    hits: tuple[int, ...],
    flags: tuple[str, ...],
) -> LogEvent:
    """The event of a record's lines (without colours); `moment` in seconds since the epoch."""
    first = lines[0][:LINE_LIMIT]
    head = head_of(first)
    where: dict[str, Any] = {"host": host, "file": file, "offset": offset, "hits": hits, "flags": flags}
    if head is not None and head.form == "json" and (data := _json(first, head)) is not None:
        return _from_json(data, moment, service, where)
    time = _utc(moment)
    if head is None:
        message, traceback = _split([_text(line) for line in lines])
        return _made(time, service, "", None, "", None, message, traceback, where)
    text = _text(first[head.body :])
    message, traceback = _split([text.removeprefix(" "), *(_continued(line) for line in lines[1:])])
    instance, message = _instance(message)
    return _made(time, service, head.level.decode(), head.pid, _text(head.logger), head.context, message, traceback, where, instance)


def _made(
    time: datetime | None,
    service: str,
    level: str,
    pid: int | None,
    logger: str,
    context: bytes | None,
    message: str,
    traceback: str,
    where: dict[str, Any],
    instance: str | None = None,
) -> LogEvent:
    shared, own = _request_ids(_text(context or b""))
    level = _LEVELS.get(level, level)
    return LogEvent(
        time=time, service=service, level=level, pid=pid, logger=logger, global_request_id=shared, request_id=own,
        instance=instance, message=message, traceback=traceback, exception=_exception(message, traceback, level), **where,
    )  # fmt: skip


def _request_ids(context: str) -> tuple[str | None, str | None]:
    """Global and own request id of a context: two ids, ``None`` or ``-`` and one, one alone, or none."""
    words = context.split(None, 2)[:2]
    given = [word for word in words if word.startswith("req-")]
    if len(given) == 2:
        return given[0], given[1]
    return None, given[0] if given else None


def _instance(message: str) -> tuple[str | None, str]:
    found = INSTANCE.match(message)
    return (found[1].lower(), message[found.end() :]) if found else (None, message)


def _continued(line: bytes) -> str:
    """A further line of a record without its prefix; as it is when it has none."""
    head = head_of(line)
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
    at = next((number for number, line in enumerate(lines[1:], 1) if line.startswith(_FRAME)), None)
    if at is None:
        return "\n".join(lines), ""
    return "\n".join(lines[:at]), "\n".join(lines[at:]).rstrip()


def _exception(message: str, traceback: str, level: str) -> str | None:
    """The class raised last: from the traceback's last line at its margin, else from the summary that oslo.log appends."""
    for line in reversed(traceback.split("\n")) if traceback else ():
        found = _RAISED.match(line)
        if found and not line.startswith(("During handling", "The above exception", _FRAME)):
            return found["name"]
    if level in ("WARNING", "ERROR", "CRITICAL"):
        last = None
        for last in _SUMMARY.finditer(message[:4096]):
            pass
        return last["name"] if last and _looks_raised(last["name"]) else None
    return None


def _looks_raised(name: str) -> bool:
    return "." in name or name.endswith(("Error", "Exception", "Failed", "Failure", "Timeout", "NotFound", "Refused", "Invalid", "Exists"))


def causes(traceback: str) -> list[str]:
    """The last line of each block of a chained traceback, the deepest cause first."""
    blocks = re.split(r"\n\n(?:During handling of|The above exception was)[^\n]{0,200}\n\n", traceback)
    found = []
    for block in blocks:
        raised = [line for line in block.split("\n") if line and not line.startswith((" ", _FRAME))]
        found += raised[-1:]
    return found


def _json(line: bytes, head: Head) -> dict[str, Any] | None:
    start = line.find(b"{")
    try:
        data = json.loads(line[start:].decode("utf-8", "replace"))
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _from_json(data: dict[str, Any], moment: float | None, service: str, where: dict[str, Any]) -> LogEvent:
    if "MESSAGE" in data or "__REALTIME_TIMESTAMP" in data:
        return from_journal({name: _field(value) for name, value in data.items()}, where["host"], where)
    if isinstance(data.get("log"), str):  # a container's runtime
        inner = event([data["log"].encode().rstrip(b"\n")], moment, service=service, **where)
        return inner
    context = _dict(data.get("context")) or _dict(data.get("extra"))
    extra = _dict(data.get("extra"))
    message = str(data.get("message", data.get("msg", "")))
    traceback = data.get("traceback") or ""
    level = str(data.get("levelname", data.get("level", "")))
    summary = str(data.get("error_summary") or "").strip()
    known = {**extra, **context}
    instance = str(known.get("instance_uuid") or known.get("instance") or known.get("resource_uuid") or "")
    found = re.search(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", instance)
    traceback = "\n".join(map(str, traceback)) if isinstance(traceback, list) else str(traceback)
    return LogEvent(
        time=_utc(moment), service=service, level=_LEVELS.get(level, level), pid=_number(data.get("process")),
        logger=str(data.get("name", "")), global_request_id=known.get("global_request_id") or None,
        request_id=known.get("request_id") or None, instance=found[0] if found else None, message=message, traceback=traceback,
        exception=_exception(f"{message}: {summary}" if summary and summary not in message else message, traceback, level), **where,
    )  # fmt: skip


def from_journal(entry: dict[str, str], host: str, where: dict[str, Any] | None = None) -> LogEvent:
    """The event of an entry of journald: its fields, and the line of oslo.log in its ``MESSAGE``."""
    unit = entry.get("_SYSTEMD_UNIT", "").removesuffix(".service")
    name = entry.get("CONTAINER_NAME", "").replace("_", "-") or unit.removeprefix("devstack@").removeprefix("openstack-") or entry.get("SYSLOG_IDENTIFIER", "")
    micro = entry.get("_SOURCE_REALTIME_TIMESTAMP") or entry.get("__REALTIME_TIMESTAMP") or ""
    moment = int(micro) / 1e6 if micro.isdigit() else None
    where = where or {"host": host, "file": "journal", "offset": int(micro or 0), "hits": (), "flags": ()}
    lines = [without_colours(line) for line in entry.get("MESSAGE", "").encode("utf-8", "surrogateescape").split(b"\n")]
    priority = entry.get("PRIORITY", "")
    level = entry.get("LOGGER_LEVEL", "") or (_PRIORITIES[int(priority)] if priority in "01234567" and priority else "")
    prefixed = [b"%s journal[%s]: " % (_iso(moment), entry.get("_PID", "0").encode()) + lines[0], *lines[1:]]
    if moment is None or head_of(lines[0]) is not None:
        prefixed = lines
    made = event(prefixed, moment, service=DEVSTACK_UNITS.get(name, name), **where)
    message, traceback = made.message, entry.get("EXCEPTION_TEXT", "") or entry.get("EXCEPTION_INFO", "") or made.traceback
    from dataclasses import replace

    level = made.level or _LEVELS.get(level, level)
    return replace(
        made, level=level, pid=made.pid or _number(entry.get("_PID")), logger=entry.get("LOGGER_NAME") or made.logger,
        request_id=made.request_id or entry.get("REQUEST_ID"), message=message, traceback=traceback,
        exception=_exception(message, traceback, level), time=_utc(moment) or made.time,
    )  # fmt: skip


def _iso(moment: float | None) -> bytes:
    return datetime.fromtimestamp(moment or 0, UTC).isoformat(timespec="microseconds").encode() + b" host"


def _field(value: Any) -> str:
    """A field of journald's JSON: text, or the numbers of its bytes where it can't be printed."""
    if isinstance(value, list) and all(isinstance(item, int) for item in value):
        return bytes(item & 255 for item in value).decode("utf-8", "surrogateescape")
    return "" if value is None else str(value)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int | None:
    return int(value) if str(value or "").isdigit() else None


def _utc(moment: float | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return datetime.fromtimestamp(round(moment, 6), UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def _in_sequence(events: Iterable[LogEvent]) -> list[LogEvent]:
    return list(events)
