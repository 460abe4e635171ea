"""The program that is sent to a host: finds, seeks, searches, attaches, and answers one JSON object per line.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only. It reads, and writes nothing
but its answer.
"""

from __future__ import annotations

import array
import collections
import json
import os
import re
import resource
import sys
import time

from stackbook.logs import engines
from stackbook.logs.attach import Attacher, Text, suspicion
from stackbook.logs.compressed import chunks
from stackbook.logs.find import find_logs
from stackbook.logs.journal import journal_entries
from stackbook.logs.lines import Times, without_colours
from stackbook.logs.seek import SLACK, first_time, span

if False:
    from typing import Any

LINES_PER_EVENT = 20
HELD_BACK = 8
SMALL = 4 * 1024 * 1024
"""Bytes times ids below which starting a program costs more than finding by hand."""


class Enough(Exception):  # noqa: N818
    """The answer has reached its limit."""


class Agent:
    """One request on one host."""

    def __init__(self, request, out):  # type: ignore[no-untyped-def]
        self.root: str = request["root"]
        self.since: float | None = request.get("since")
        self.until: float | None = request.get("until")
        self.limits: dict[str, float] = request["limits"]
        self.extra: list[str] = request.get("files", [])
        self.journal: bool = request.get("journal", True)
        self.choice = Choice(request)
        self.deadline = time.monotonic() + self.limits["seconds"]
        self.times = Times()
        self.engine = engines.choose(request.get("engine", ""))
        self.out = out
        self.sent = self.records = self.searched = self.files = self.pruned = 0

    def run(self) -> None:
        """Answer the request."""
        self.tell({"k": "begin", "now": time.time(), "python": "%d.%d" % sys.version_info[:2]})
        try:
            if self.engine is None:
                self.skip("", "the program asked for is not installed")
            else:
                self._search()
        except Enough:
            pass
        self.tell({"k": "end", "now": time.time(), **self._spent()})
        self.out.flush()

    def tell(self, answer: dict[str, object]) -> None:
        """Write one line of the answer."""
        line = json.dumps(answer, separators=(",", ":"))
        self.sent += len(line)
        self.out.write(line + "\n")

    def skip(self, what: str, reason: str, hint: str = "") -> None:
        """Say what was not searched."""
        self.tell({"k": "skip", "what": what, "why": reason, "hint": hint})

    def _spent(self) -> dict[str, object]:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return {
            "engine": str(self.engine or ""),
            "files": self.files,
            "pruned": self.pruned,
            "bytes": self.searched,
            "cpu": sum(each.ru_utime + each.ru_stime for each in used),
            "zone": time.strftime("%Z%z"),
        }

    def _search(self) -> None:
        files, unread = find_logs(self.root, self.extra)
        for path, reason in unread:
            self.skip(path, reason, "search as a user who may read it")
        plain = [file for file in files if not file.compression]
        packed = [file for file in files if file.compression]
        self._plain(plain)
        for file in packed:
            self._packed(file)
        if self.journal:
            self._journal()

    def _plain(self, files) -> None:  # type: ignore[no-untyped-def]
        pieces: list[engines.Piece] = []
        for key, file in enumerate(files):
            found = self._pieces(key, file)
            pieces += found
            self.files += bool(found)
            self.pruned += not found
        search = self._new_search()
        offsets: dict[int, array.array[int]] = {}
        for key, offset in search.places(pieces) if pieces and self.choice.strings else ():
            offsets.setdefault(key, array.array("q")).append(offset)
        self.searched += sum(piece.stop - piece.start for piece in pieces)
        self._complain(search)
        for key in sorted(offsets):
            self._answer_plain(files[key], sorted(set(offsets[key])), [piece for piece in pieces if piece.key == key])

    def _pieces(self, key, file):  # type: ignore[no-untyped-def]
        """The parts of a plain file that may hold times asked for, without its holes."""
        if self.since is not None and file.modified < self.since - SLACK:
            return []
        start, stop = span(file.fd, file.size, self.since, self.until, self.times)
        extents = list(data_extents(file.fd, start, stop))
        whole = extents == [(0, file.size)]
        return [engines.Piece(key, file.fd, first, last, whole) for first, last in extents]

    def _answer_plain(self, file, offsets, pieces) -> None:  # type: ignore[no-untyped-def]
        most = int(self.limits["events_per_file"])
        told = 0
        for piece in pieces:
            begin = piece.start if not pieces or piece is not pieces[0] else 0
            attacher = Attacher(Text(file.fd, begin, file.size if piece is pieces[-1] else piece.stop), int(self.limits["record_lines"]))
            for record, last in records(attacher, [offset for offset in offsets if piece.start <= offset < piece.stop]):
                told += self._answer(file, attacher, record)
                if told >= most and last != offsets[-1]:
                    self.skip(file.path, "only its first %d records that match are shown" % most, "narrow the times, or raise the limit")
                    return
        if os.fstat(file.fd).st_size < file.size:
            self.skip(file.path, "it was cut short while it was searched (copytruncate)", "search again: its rotated copy has what is missing")

    def _packed(self, file) -> None:  # type: ignore[no-untyped-def]
        if self.since is not None and file.modified < self.since - SLACK:
            self.pruned += 1
            return
        if time.monotonic() > self.deadline:
            self.skip(file.path, self._late(), "narrow the times, or raise the limit")
            return
        told, begun = 0, False
        for chunk in chunks(file.fd, file.compression):
            if chunk.error:
                self.skip(file.path, chunk.error)
                return
            if not begun and self._after(chunk.data):
                self.pruned += 1
                return
            begun = True
            self.searched += chunk.fresh
            told += self._chunk(file, chunk)
            if told >= self.limits["events_per_file"] and not chunk.last:
                self.skip(file.path, "only its first %d records that match are shown" % told, "narrow the times, or raise the limit")
                return
            if time.monotonic() > self.deadline:
                self.skip(file.path, self._late(), "narrow the times, or raise the limit")
                return
        self.files += 1

    def _after(self, data: bytes) -> bool:
        if self.until is None:
            return False
        first = first_time(data[: 64 * 1024], self.times)
        return first is not None and first > self.until + SLACK

    def _chunk(self, file, chunk) -> int:  # type: ignore[no-untyped-def]
        search = self._new_search()
        offsets = self._in_memory(search, chunk)
        self._complain(search)
        if not offsets:
            return 0
        attacher = Attacher(Text(None, chunk.base, chunk.base + len(chunk.data), chunk.data), int(self.limits["record_lines"]))
        return sum(self._answer(file, attacher, record) for record, _ in records(attacher, offsets))

    def _in_memory(self, search, chunk) -> list[int]:  # type: ignore[no-untyped-def]
        """Offsets of the matches in a chunk that belong to it and not to the next one."""
        data, skip = chunk.data, chunk.done - chunk.base
        if search.engine.name == "python" or len(data) * len(self.choice.strings) < SMALL or not hasattr(os, "memfd_create"):
            found = (offset + chunk.base for offset in search.within(data))
        else:
            fd = chunk.in_file()
            piece = engines.Piece(0, fd, 0, len(data), True)
            found = (offset + chunk.base for _, offset in search.places([piece]))
        return sorted({offset for offset in found if chunk.base + skip <= offset < chunk.until})

    def _journal(self) -> None:
        for entry in journal_entries(self.root, self.choice.strings, self.since, self.until, self.deadline):
            if isinstance(entry, str):
                self.skip("journal", entry)
                continue
            if self.choice.keeps_journal(entry):
                self.records += 1
                self.tell({"k": "journal", "e": entry})
                self._check_limits()

    def _new_search(self) -> engines.Search:
        most = int(self.limits["events_per_file"]) * LINES_PER_EVENT
        return engines.Search(self.engine, self.choice.strings, most, self.deadline)

    def _complain(self, search: engines.Search) -> None:
        for complaint in search.complaints:
            self.skip("", complaint, "its matches may be missing")
        if search.late:
            self.skip("", self._late(), "narrow the times, or raise the limit")

    def _late(self) -> str:
        return "the time limit of %g s was reached before its end" % self.limits["seconds"]

    def _answer(self, file, attacher, record) -> int:  # type: ignore[no-untyped-def]
        """Tell one record, if it is in the times asked for and wanted."""
        head = record.first.head
        moment, ambiguous = self.times.epoch(head.stamp, file.modified) if head and head.stamp else (None, False)
        if moment is not None and not self._within(moment, ambiguous):
            return 0
        if not self.choice.keeps(record):
            return 0
        flags = [flag for flag, given in (("headless", head is None), ("ambiguous-time", ambiguous), ("cut", _cut(record, self.limits))) if given]
        doubt = suspicion(record, *attacher.neighbours(record, 3), self.times)
        self.tell({
            "k": "r", "f": file.path, "s": file.service, "o": record.first.start, "h": record.hits, "t": moment,
            "x": flags + ([doubt] if doubt else []),
            "b": _text(record.first.text), "m": [_text(line.text) for line in record.others],
        })  # fmt: skip
        self.records += 1
        self._check_limits()
        return 1

    def _check_limits(self) -> None:
        if self.records >= self.limits["events"]:
            self.skip("", "only the first %d records that match are shown" % self.records, "narrow the times, or raise the limit")
            raise Enough
        if self.sent >= self.limits["answer_bytes"]:
            self.skip("", "the answer reached its limit of %d bytes" % self.limits["answer_bytes"], "narrow the times, or raise the limit")
            raise Enough

    def _within(self, moment: float, ambiguous: bool) -> bool:
        slack = 3600.0 if ambiguous else 0.0
        return (self.since is None or moment + slack >= self.since) and (self.until is None or moment <= self.until)


class Choice:
    """Which records a request wants: all that hold one of its strings, or those of some levels or patterns."""

    def __init__(self, request):  # type: ignore[no-untyped-def]
        self.levels: set[bytes] = {level.encode() for level in request.get("levels", ())}
        self.patterns = [re.compile(pattern) for pattern in request.get("patterns", ())]
        self.every = not self.levels and not self.patterns
        self.strings: list[str] = list(dict.fromkeys([*request.get("ids", ()), *_level_strings(self.levels), *request.get("literals", ())]))

    def keeps(self, record) -> bool:  # type: ignore[no-untyped-def]
        """Whether the record is wanted."""
        if self.every:
            return True
        head = record.first.head
        level = head.level if head else b""
        if head and head.form == "json":
            found = _JSON_LEVEL.search(record.first.text)
            level = found.group(1) if found else b""
        if level in self.levels:
            return True
        texts = [_text(record.first.text)] + [_text(line.text) for line in record.others[-3:]]
        return any(pattern.search(text) for pattern in self.patterns for text in texts)

    def keeps_journal(self, entry: dict[str, str]) -> bool:
        """Whether the entry of journald is wanted."""
        if self.every:
            return True
        level = _PRIORITIES.get(entry.get("PRIORITY", ""), b"")
        message = entry.get("MESSAGE", "")
        return level in self.levels or any(pattern.search(message) for pattern in self.patterns)


_JSON_LEVEL = re.compile(rb'"level(?:name)?": ?"([A-Z]+)"')
_PRIORITIES = {"0": b"CRITICAL", "1": b"CRITICAL", "2": b"CRITICAL", "3": b"ERROR", "4": b"WARNING"}


def _level_strings(levels: set[bytes]) -> list[str]:
    if not levels:
        return []
    names = sorted(level.decode() for level in levels)
    more = (["WARN"] if "WARNING" in names else []) + (["TRACE"] if "ERROR" in names else [])
    return [" %s " % name for name in names + more] + ['"%s"' % name for name in names]


def records(attacher, offsets):  # type: ignore[no-untyped-def]
    """The records of matches at `offsets`, in order, each once, with the last offset looked at.

    The newest few are held back: a later match may turn out to be another line of one of them.
    """
    pending: collections.deque[Any] = collections.deque()
    last = None
    for offset in offsets:
        record = attacher.record(offset)
        last = offset
        if record is not None:
            pending.append(record)
            if len(pending) > HELD_BACK:
                yield pending.popleft(), last
    for record in pending:
        yield record, last


def data_extents(fd, start, stop):  # type: ignore[no-untyped-def]
    """The parts of ``start..stop`` that hold data: a file cut short under its writer has a hole of gigabytes."""
    place = start
    while place < stop:
        try:
            first = os.lseek(fd, place, os.SEEK_DATA)
            last = os.lseek(fd, first, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != 6:  # ENXIO: nothing but a hole is left
                yield place, stop
            return
        first, last = max(first, place), min(last, stop)
        if first >= stop:
            return
        yield first, last
        place = last


def _cut(record, limits) -> bool:  # type: ignore[no-untyped-def]
    return len(record.others) >= limits["record_lines"] or any(line.cut for line in (record.first, *record.others))


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def main(request):  # type: ignore[no-untyped-def]
    """Answer `request` on standard output; ends by itself soon after its time limit, whatever hangs."""
    import signal

    signal.alarm(int(request["limits"]["seconds"]) + 15)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536, hard))
    Agent(request, sys.stdout).run()
