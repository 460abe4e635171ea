"""The heads of log lines: where a record begins, when, and who wrote it. Works on bytes, as they are in the file.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.
"""

from __future__ import annotations

import json
import re
import time
from datetime import date, datetime, tzinfo

LINE_LIMIT = 64 * 1024
"""Bytes of a line that patterns get to see."""
HEAD_LIMIT = 1024
"""Bytes of a line in which a head is looked for."""

_CLOCK = (
    rb"(?P<day>\d{4}-\d\d-\d\d)[ T](?P<clock>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
    rb"(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_LEVEL = rb"(?P<level>TRACE|DEBUG|INFO|AUDIT|WARN(?:ING)?|ERROR|CRITICAL)"
_CONTEXT = rb"\[(?P<context>(?:-|None\b|req-|[0-9a-f]{8}[0-9a-f-]{24,28}\b| req-|[ -]*\])[^\]\n]{0,2000})"
OSLO = re.compile(
    rb"\[?" + _CLOCK + rb"\]? (?:\[?(?P<pid>\d{1,10})\]? )?\[?" + _LEVEL + rb"\]? (?P<logger>[\w.\-/:]{1,200})"
    rb"(?: (?P<ctx>" + _CONTEXT + rb"\]?))?"
)
"""oslo.log's own form, from 2012 to today: time, pid, level, logger, context in brackets."""
DEVSTACK = re.compile(_LEVEL + rb" (?P<logger>[\w.\-/]{1,200})(?: (?P<ctx>" + _CONTEXT + rb"\]?))")
"""The form without time and pid, which journald and syslog add."""
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
KUBERNETES = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (?:stdout|stderr) (?P<tag>[FP]) ")
LOGHUB = re.compile(rb"[\w.-]{1,100}\.log[\w.:-]{0,40} (?=\d{4}-)")
SYSLOG = re.compile(
    rb"(?:<\d{1,3}>1? ?)?(?:(?P<month>[A-Z][a-z]{2}) (?P<date>[ \d]\d) (?P<hms>\d\d:\d\d:\d\d)|(?P<iso>\d{4}-\d\d-\d\dT\S{8,30}))"
    rb" (?P<sender>\S{1,255}) (?P<tag>[\w.@/-]{1,100})(?:\[(?P<pid>\d+)\]: ?|: )"
)
APACHE = re.compile(
    rb"\[[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) +(?P<date>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?"
    rb" (?P<year>\d{4})\] "
    rb"(?:\[(?:\w*:)?(?P<level>\w+)\] )?(?:\[pid (?P<pid>\d+)(?::tid \d+)?\] )?(?:\[(?:client|remote) [^\]]{0,100}\] )*"
)
UWSGI = re.compile(
    rb"(?:\[pid: (?P<pid>\d{1,10})\|app: (?P<app>-?\d{1,6})\|req: [^\]]{1,40}\] \S{0,64} \([^)]{0,200}\) \{[^}]{0,100}\}"
    rb"|\*\*\* Starting uWSGI \S{1,40} \(\d\dbit\) on)"
    rb" \[[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) +(?P<date>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d) (?P<year>\d{4})\] "
)
"""A request as uWSGI logs it, beside the service's own lines (Debian's APIs), and its start."""
_NO_APP = b"-1"
PLAIN = re.compile(rb"\[?" + _CLOCK + rb"\]?(?P<sep>[ |:]|$)")
"""Another program's line that begins with a time: libvirt, Open vSwitch, RabbitMQ, MariaDB."""
BACKWARD = 5.0
"""Seconds that a line may be earlier than the one before it without being suspicious: workers write out of order."""
_COLOUR = re.compile(rb"\x1b\[[0-9;?]{0,20}[A-Za-z]")


class Head:
    """The head of a line."""

    __slots__ = ("body", "context", "form", "key", "level", "logger", "pid", "stamp")

    def __init__(
        self, form: str, stamp: Stamp | None, pid: int | None, level: bytes, logger: bytes, context: bytes | None, body: int
    ) -> None:
        self.form = form
        self.stamp = stamp
        self.pid = pid
        self.level = level
        self.logger = logger
        self.context = context
        """What stands in the brackets; None when there are none, as on a traceback's lines."""
        self.body = body
        """Where the message begins, in bytes of the line without colours."""
        self.key = (stamp.text if stamp else None, pid)
        """Equal on the lines of one record."""

    @property
    def continues(self) -> bool:
        """Whether the line has the form of a traceback's lines: an error without a context."""
        if self.context is not None or self.form != "oslo":
            return False
        return self.level == b"TRACE" or (self.level == b"ERROR" and self.stamp is not None and self.stamp.exact)


class Stamp:
    """A time as a line gives it."""

    __slots__ = ("exact", "text", "zone")

    def __init__(self, day: bytes, clock: bytes, fraction: bytes | None, zone: bytes | None = None) -> None:
        self.text = day + b" " + clock + b"." + (fraction or b"")[:6].ljust(6, b"0")
        """Such as ``2026-11-23 14:20:53.481000``: texts of one file compare like times."""
        self.exact = bool(fraction)
        """Whether it has parts of a second."""
        self.zone = zone


def without_colours(line: bytes) -> bytes:
    """The line without ANSI escapes, and without carriage return and newline at its end."""
    line = line.rstrip(b"\r\n")
    return _COLOUR.sub(b"", line) if b"\x1b" in line else line


def unwrapped(line: bytes) -> bytes:
    """A line of Docker's JSON files in the form of Kubernetes; any other line as it is."""
    if not line.startswith(b'{"log":"'):
        return line
    try:
        data = json.loads(line.decode("utf-8", "replace"))
        whole = b"F" if data["log"].endswith("\n") else b"P"
        return b"%s %s %s %s" % (data["time"].encode(), data["stream"].encode(), whole, data["log"].rstrip("\n").encode())
    except (ValueError, KeyError, TypeError, AttributeError):
        return line


def head_of(line: bytes) -> Head | None:
    """The head of `line` (no colours in it); None when it has none, as on further lines of a message."""
    line = line[:HEAD_LIMIT] if len(line) > HEAD_LIMIT else line
    found = OSLO.match(line)
    if found:
        return _oslo(found)
    if not line or line[:1] in b" \t":
        return None
    contained = KUBERNETES.match(line)
    if contained:
        return _inner(line, contained.end())
    for reader in (_json, _loghub, _syslog, _apache, _uwsgi, _other):
        head = reader(line)
        if head is not None:
            return head
    return None


def same_head(line: bytes, before: bytes, head: Head | None) -> bool:
    """Whether `line` has the head that `before`, a line of a traceback, has: to compare is quicker than to take apart."""
    if head is None or not head.continues or line[: head.body] != before[: head.body]:
        return False
    rest = line[head.body : head.body + 12]
    return rest[:1] in b" " and (rest[:2] != b" [" or rest == b" [instance: ")


def _inner(line: bytes, start: int) -> Head | None:
    """The head of what follows a prefix."""
    head = head_of(line[start:])
    if head is not None:
        head.body += start
    return head


def _oslo(found: re.Match[bytes]) -> Head:
    pid = int(found["pid"]) if found["pid"] else None
    stamp = Stamp(found["day"], found["clock"], found["fraction"], found["zone"])
    return Head("oslo", stamp, pid, _level(found["level"]), found["logger"], found["context"], found.end())


def _level(level: bytes) -> bytes:
    return b"WARNING" if level == b"WARN" else level


def _json(line: bytes) -> Head | None:
    if line[:1] != b"{":
        return None
    found = _JSON_TIME.search(line)
    stamp = Stamp(found["day"], found["clock"], found["fraction"], found["zone"]) if found else None
    return Head("json", stamp, None, b"", b"", b"-", 0)


_JSON_TIME = re.compile(rb'"(?:asctime|timestamp|@timestamp|time)": ?"' + _CLOCK)


def _loghub(line: bytes) -> Head | None:
    found = LOGHUB.match(line)
    return _inner(line, found.end()) if found else None


def _syslog(line: bytes) -> Head | None:
    found = SYSLOG.match(line)
    if not found:
        return None
    inner = OSLO.match(line, found.end())
    if inner:
        return _oslo(inner)
    pid = int(found["pid"]) if found["pid"] else None
    stamp = _syslog_stamp(found)
    short = DEVSTACK.match(line, found.end())
    if short:
        return Head("oslo", stamp, pid, _level(short["level"]), short["logger"], short["context"], short.end())
    return Head("syslog", stamp, pid, b"", found["tag"], b"-", found.end())


def _syslog_stamp(found: re.Match[bytes]) -> Stamp | None:
    if found["iso"]:
        iso = PLAIN.match(found["iso"])
        return Stamp(iso["day"], iso["clock"], iso["fraction"], iso["zone"]) if iso else None
    if found["month"] not in _MONTHS:
        return None
    day = b"0000-%02d-%02d" % (_MONTHS.index(found["month"]) + 1, int(found["date"]))
    return Stamp(day, found["hms"], None)


def _apache(line: bytes) -> Head | None:
    found = APACHE.match(line)
    if not found or found["month"] not in _MONTHS:
        return None
    inner = OSLO.match(line, found.end())
    if inner:
        return _oslo(inner)
    day = b"%s-%02d-%02d" % (found["year"], _MONTHS.index(found["month"]) + 1, int(found["date"]))
    stamp = Stamp(day, found["clock"], found["fraction"])
    level = _OTHER_LEVELS.get((found["level"] or b"").lower(), b"")
    return Head("apache", stamp, int(found["pid"]) if found["pid"] else None, level, b"httpd", b"-", found.end())


def _uwsgi(line: bytes) -> Head | None:
    found = UWSGI.match(line)
    if not found or found["month"] not in _MONTHS:
        return None
    day = b"%s-%02d-%02d" % (found["year"], _MONTHS.index(found["month"]) + 1, int(found["date"]))
    level = b"ERROR" if found["app"] == _NO_APP else b"INFO"
    return Head("uwsgi", Stamp(day, found["clock"], None), int(found["pid"]) if found["pid"] else None, level, b"uwsgi", b"-", 0)


_OTHER_LEVELS = {
    **dict.fromkeys((b"debug", b"dbg"), b"DEBUG"),
    **dict.fromkeys((b"info", b"notice", b"note"), b"INFO"),
    **dict.fromkeys((b"warn", b"warning"), b"WARNING"),
    **dict.fromkeys((b"err", b"error"), b"ERROR"),
    **dict.fromkeys((b"crit", b"critical", b"emer", b"emerg", b"alert", b"fatal"), b"CRITICAL"),
}
_OTHER_LEVEL = re.compile(
    rb"[ |\[\d:.<>A-Za-z_/()-]{0,60}?(?<![A-Za-z])(?P<level>debug|dbg|info|notice|note|warn|warning|err|error|crit|critical"
    rb"|emer|alert|fatal)(?![A-Za-z])\]?[ |:]*",
    re.IGNORECASE,
)


def _other(line: bytes) -> Head | None:
    found = PLAIN.match(line)
    if not found:
        return None
    stamp = Stamp(found["day"], found["clock"], found["fraction"], found["zone"])
    inner = OSLO.match(line, found.end())
    if inner:  # mod_wsgi's error log puts its own time before the service's line
        return _oslo(inner)
    level = _OTHER_LEVEL.match(line, found.end())
    name = _OTHER_LEVELS[level["level"].lower()] if level else b""
    return Head("plain", stamp, None, name, b"", b"-", found.end())


class Times:
    """Turns times as logged into seconds since the epoch, by this machine's time zone."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self.zone = zone
        """A ``tzinfo``; None for the machine's own."""
        self._minutes: dict[bytes, tuple[float, bool]] = {}

    def epoch(self, stamp: Stamp, newest: float | None = None, after: float | None = None) -> tuple[float, bool]:
        """Seconds since the epoch, and whether the time is ambiguous (an hour that a clock change repeats).

        Args:
            stamp: The time as logged.
            newest: Seconds since the epoch that it can't be after; tells the year where the line does not.
            after: The time of a line before it; of two meanings the one is taken that does not go back.
        """
        text = stamp.text
        if text[:4] == b"0000":
            return self._in_year(stamp, time.time() if newest is None else newest)
        seconds = float(text[17:26])
        if stamp.zone:
            return _utc_minute(_fields(text[:16])) - _zone_seconds(stamp.zone) + seconds, False
        if text[:16] not in self._minutes:
            self._minutes[text[:16]] = self._minute(text[:16])
        minute, ambiguous = self._minutes[text[:16]]
        if ambiguous and after is not None and minute + seconds < after - BACKWARD:
            minute = self._meanings(text[:16])[1]
        return minute + seconds, ambiguous

    def _minute(self, text: bytes) -> tuple[float, bool]:
        first, second = self._meanings(text)
        return first, first != second

    def _meanings(self, text: bytes) -> tuple[float, float]:
        fields = _fields(text)
        if self.zone is not None:
            return _zoned(fields, self.zone)
        try:
            found = {time.mktime((*fields, 0, 0, 0, dst)) for dst in (0, 1)}
        except (OverflowError, ValueError):
            return 0.0, 0.0
        same = [moment for moment in found if tuple(time.localtime(moment))[:5] == fields]
        return (min(same), max(same)) if same else (time.mktime((*fields, 0, 0, 0, -1)),) * 2

    def _in_year(self, stamp: Stamp, newest: float) -> tuple[float, bool]:
        year = time.gmtime(newest + 86400).tm_year
        for candidate in (year, year - 1):
            dated = Stamp(b"%04d" % candidate + stamp.text[4:10], stamp.text[11:19], stamp.text[20:])
            found = self.epoch(dated)
            if found[0] <= newest + 86400:
                return found
        return found


def _fields(text: bytes) -> tuple[int, int, int, int, int]:
    year, month, day, hour, minute = int(text[:4]), int(text[5:7]), int(text[8:10]), int(text[11:13]), int(text[14:16])
    return year, min(max(month, 1), 12), min(max(day, 1), 31), min(hour, 23), min(minute, 59)


def _utc_minute(fields: tuple[int, int, int, int, int]) -> float:
    try:
        days = date(*fields[:3]).toordinal() - _EPOCH
    except ValueError:
        return 0.0
    return (days * 24 + fields[3]) * 3600.0 + fields[4] * 60


_EPOCH = date(1970, 1, 1).toordinal()


def _zone_seconds(zone: bytes) -> int:
    if zone == b"Z":
        return 0
    digits = zone[1:].replace(b":", b"")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60
    return -seconds if zone[:1] == b"-" else seconds


def _zoned(fields: tuple[int, int, int, int, int], zone: tzinfo) -> tuple[float, float]:
    try:
        local = datetime(*fields, tzinfo=zone)
    except ValueError:
        return 0.0, 0.0
    found = sorted(local.replace(fold=fold).timestamp() for fold in (0, 1))
    return found[0], found[1]
