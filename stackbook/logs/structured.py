"""Records that come as fields: oslo.log's JSON, and entries of journald."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from stackbook.logs.event import LogEvent
from stackbook.logs.find import DEVSTACK_UNITS
from stackbook.logs.raised import exception

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
LEVELS = {"WARN": "WARNING", "TRACE": "ERROR", "NOTICE": "INFO"}
_PRIORITIES = dict(enumerate(("CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARNING", "INFO", "INFO", "DEBUG")))


def fields_of(line: bytes) -> dict[str, Any] | None:
    """The object on a line of JSON; None when it is none, or not whole."""
    try:
        data = json.loads(line[line.find(b"{") :].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def of_oslo(data: dict[str, Any], blank: LogEvent) -> LogEvent:
    """The event of a line that oslo.log's JSONFormatter wrote; `blank` says where and when."""
    known = {**_dict(data.get("extra")), **_dict(data.get("context"))}
    message, traceback = _string(data.get("message", data.get("msg"))), _lines(data.get("traceback"))
    level = _string(data.get("levelname", data.get("level")))
    level = LEVELS.get(level, level)
    summary = _string(data.get("error_summary")).strip().partition("\n")[0]
    instance = _UUID.search(str(known.get("instance_uuid") or known.get("instance") or known.get("resource_uuid") or ""))
    return replace(
        blank,
        level=level,
        pid=_number(data.get("process")),
        logger=_string(data.get("name")),
        global_request_id=_string(known.get("global_request_id")) or None,
        request_id=_string(known.get("request_id")) or None,
        user=_string(known.get("user_id") or known.get("user")) or None,
        instance=instance[0] if instance else None,
        message=message,
        traceback=traceback,
        exception=exception(f"{message}: {summary}" if summary else message, traceback, level),
    )


def is_entry(data: dict[str, Any]) -> bool:
    """Whether the fields are an entry of journald."""
    return "__REALTIME_TIMESTAMP" in data or "_SOURCE_REALTIME_TIMESTAMP" in data


def entry_fields(data: dict[str, Any]) -> dict[str, str]:
    """An entry of ``journalctl -o json`` with texts where it has the numbers of bytes that can't be printed."""
    return {name: _field(value) for name, value in data.items()}


def moment_of(entry: dict[str, str]) -> float | None:
    """When the entry was written, in seconds since the epoch."""
    micro = entry.get("_SOURCE_REALTIME_TIMESTAMP") or entry.get("__REALTIME_TIMESTAMP") or ""
    return int(micro) / 1e6 if micro.isdigit() else None


def service_of_entry(entry: dict[str, str]) -> str:
    """The service that wrote the entry, or of which systemd wrote it, from its container, unit or identifier."""
    unit = entry.get("_SYSTEMD_UNIT", "")
    unit = entry.get("UNIT", unit) if unit == "init.scope" else unit
    unit = unit.removesuffix(".service").removeprefix("devstack@").removeprefix("openstack-")
    name = entry.get("CONTAINER_NAME", "").replace("_", "-") or unit or entry.get("SYSLOG_IDENTIFIER", "")
    return DEVSTACK_UNITS.get(name, name)


def of_entry(entry: dict[str, str], message: LogEvent) -> LogEvent:
    """The event of an entry of journald; `message` is what its text says by itself."""
    priority = entry.get("PRIORITY", "")
    level = message.level or entry.get("LOGGER_LEVEL", "") or _PRIORITIES.get(int(priority) if priority.isdigit() else -1, "")
    level = LEVELS.get(level, level)
    traceback = entry.get("EXCEPTION_TEXT", "") or entry.get("EXCEPTION_INFO", "") or message.traceback
    return replace(
        message,
        level=level,
        pid=message.pid or _number(entry.get("_PID")),
        logger=entry.get("LOGGER_NAME", "") or message.logger,
        request_id=message.request_id or entry.get("REQUEST_ID") or None,
        traceback=traceback,
        exception=exception(message.message, traceback, level),
    )


def _field(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, int) for item in value):
        return bytes(item & 255 for item in value).decode("utf-8", "surrogateescape")
    return "" if value is None else str(value)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(value: Any) -> str:
    return "" if value is None else str(value)


def _lines(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else _string(value)


def _number(value: Any) -> int | None:
    return int(value) if str(value or "").isdigit() else None
