"""The program that is sent to a host: finds, seeks, searches, attaches, and answers one JSON object per line.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only. It reads, and writes nothing
but its answer.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from stackbook.logs.attach import Attacher, Record, Text, records
from stackbook.logs.choice import Choice
from stackbook.logs.compressed import Window, windows
from stackbook.logs.counting import count_lines
from stackbook.logs.engines import engines
from stackbook.logs.find import NO_FILE, LogFile, find_logs, full_folders
from stackbook.logs.hostclock import by_clock, clock_ahead
from stackbook.logs.journal import journal_entries
from stackbook.logs.lines import Times
from stackbook.logs.running import Piece
from stackbook.logs.scan import Scan
from stackbook.logs.seek import SLACK, data_extents, first_time, span
from stackbook.logs.ways import Ways

LINES_PER_EVENT = 20
"""Lines of one record that may match; what an engine may give for one record."""
SMALL = 1024 * 1024
"""Bytes times strings below which starting a program costs more than finding by hand."""
NARROW = "narrow the times, or raise the limit"


class Enough(Exception):
    """The answer has reached its limit."""


class Agent:
    """One request on one host."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.root: str = request["root"]
        self.ahead = clock_ahead(request.get("clock", ""))
        self.since, self.until = by_clock(request, self._now())
        self.limits: dict[str, Any] = request["limits"]
        self.files: list[str] = request.get("files", [])
        self.choice = Choice(request)
        self.deadline = time.monotonic() + self.limits["seconds"]
        self.times = Times()
        self.engines = engines(request.get("engine", ""), len(self.choice.strings))
        self.ways = Ways(len(self.choice.strings))
        self.used: dict[str, None] = {}
        self.sent = self.records = self.bytes = self.searched = self.pruned = 0

    def run(self) -> None:
        """Answer the request."""
        self.tell({"k": "begin", "now": self._now()})
        try:
            if self.engines:
                self._search()
            else:
                self.skip("", "the program asked for is not installed")
        except Enough:
            pass
        self.tell({"k": "end", "now": self._now(), **self._spent()})
        sys.stdout.flush()

    def _now(self) -> float:
        return time.time() + self.ahead

    def tell(self, answer: dict[str, Any]) -> None:
        """Write one line of the answer."""
        line = json.dumps(answer, separators=(",", ":"))
        self.sent += len(line)
        sys.stdout.write(line + "\n")

    def skip(self, what: str, reason: str, hint: str = "") -> None:
        """Say what was not searched."""
        self.tell({"k": "skip", "what": what, "why": reason, "hint": hint})

    def _spent(self) -> dict[str, Any]:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return {
            "engine": ", ".join(self.used),
            "files": self.searched,
            "pruned": self.pruned,
            "bytes": self.bytes,
            "cpu": sum(each.ru_utime + each.ru_stime for each in used),
            "zone": time.strftime("%Z%z"),
        }

    def _search(self) -> None:
        files, unread = find_logs(self.root, self.files)
        for path, reason in unread:
            self.skip(path, reason, "" if reason == NO_FILE else "search as a user who may read it")
        for folder in full_folders(self.root, files):
            self.skip(folder, "its file system is full: nothing more is logged there", "make room: df -h, logrotate -f")
        if self.choice.strings:
            self._plain([file for file in files if not file.compression])
            self._packed([file for file in files if file.compression])
            self._journal()

    def _plain(self, files: Sequence[LogFile]) -> None:
        """Search plain files, all in one go, and then attach file by file."""
        by_file = {key: self._pieces(key, file) for key, file in enumerate(files)}
        pieces = [piece for found in by_file.values() for piece in found]
        self.searched += sum(map(bool, by_file.values()))
        self.pruned += sum(not found for found in by_file.values())
        self.bytes += sum(piece.stop - piece.start for piece in pieces)
        offsets: dict[int, set[int]] = {}
        scan = self._scan()
        for key, offset in scan.places(pieces) if pieces else ():
            offsets.setdefault(key, set()).add(offset)
        self._complain(scan)
        for key in sorted(offsets):
            self._answer_plain(files[key], sorted(offsets[key]), by_file[key])

    def _pieces(self, key: int, file: LogFile) -> list[Piece]:
        """The parts of a plain file that may hold times asked for, without its holes."""
        if self._too_old(file):
            return []
        start, stop = span(file.fd, file.size, self.since, self.until, self.times)
        extents = list(data_extents(file.fd, start, stop))
        whole = extents == [(0, file.size)]
        return [Piece(key, file.fd, first, last, whole=whole) for first, last in extents]

    def _too_old(self, file: LogFile) -> bool:
        return self.since is not None and file.modified < self.since - SLACK

    def _answer_plain(self, file: LogFile, offsets: list[int], pieces: Sequence[Piece]) -> None:
        last = offsets[-1]
        for piece in pieces:
            begin = 0 if piece is pieces[0] else piece.start
            end = file.size if piece is pieces[-1] else piece.stop
            within = [offset for offset in offsets if piece.start <= offset < piece.stop]
            self._answer_all(file, Text(file.fd, begin, end), within, last)
        if os.fstat(file.fd).st_size < file.size:
            self.skip(file.path, "it was cut short while it was searched (copytruncate)", "search again: its copy has the rest")

    def _answer_all(self, file: LogFile, text: Text, offsets: list[int], last: int) -> None:
        """Tell the records of the matches at `offsets`, up to the limit of a file."""
        attacher = Attacher(text, self.limits["record_lines"])
        for record, offset in records(attacher, offsets):
            file.told += self._answer(file, attacher, record)
            if file.told >= self.limits["events_per_file"] and offset < last:
                self.skip(file.path, f"only its first {file.told} records that match are shown", NARROW)
                return

    def _packed(self, files: Sequence[LogFile]) -> None:
        """Search compressed files, as many at once as there is room for."""
        for window in windows(self._in_time(files), self._old_enough):
            self._answer_window(window)

    def _in_time(self, files: Sequence[LogFile]) -> Iterator[LogFile]:
        """The files that are not too old, until there is no more time."""
        for file in files:
            if self._too_old(file):
                self.pruned += 1
            elif time.monotonic() > self.deadline:
                self.skip(file.path, self._late(), NARROW)
            else:
                yield file

    def _old_enough(self, file: LogFile, data: bytes) -> bool:
        first = first_time(data, self.times) if self.until is not None else None
        too_new = first is not None and self.until is not None and first > self.until + SLACK
        self.pruned += too_new
        return not too_new

    def _answer_window(self, window: Window) -> None:
        places = self._places(window)
        for part in window.parts:
            self.bytes += part.fresh
            offsets = part.offsets(places)
            if offsets:
                text = Text(window.fd, part.base, part.base + part.size, part.base - part.at)
                self._answer_all(part.file, text, offsets, offsets[-1])
            if part.error:
                self.skip(part.file.path, f"it can't be decompressed to its end: {part.error}")
            if not part.last:
                self._go_on(part.file)
            self.searched += part.last or part.file.left

    def _go_on(self, file: LogFile) -> None:
        """Leave a file that has told all it may, or when there is no more time."""
        if file.told >= self.limits["events_per_file"]:
            self.skip(file.path, f"only its first {file.told} records that match are shown", NARROW)
            file.left = True
        elif time.monotonic() > self.deadline:
            self.skip(file.path, self._late(), NARROW)
            file.left = True

    def _places(self, window: Window) -> list[int]:
        """Where in the window something matches, in order."""
        scan = self._scan()
        if scan.engine.name == "python" or window.size * len(self.choice.strings) < SMALL:
            found = scan.within(os.pread(window.fd, window.size, 0))
        else:
            found = self._places_by_program(scan, window)
        self._complain(scan)
        return sorted(set(found))

    @staticmethod
    def _places_by_program(scan: Scan, window: Window) -> list[int]:
        if window.full:
            found = [place for _, place in scan.places([Piece(0, window.fd, 0, window.size, whole=True)])]
            if len(window.parts) == 1 or len(found) < scan.most:
                return found
        pieces = [Piece(0, window.fd, part.at, part.at + part.size, whole=False) for part in window.parts]
        return [place for _, place in scan.places(pieces)]

    def _journal(self) -> None:
        strings = self.choice.strings if self.choice.every else []
        for entry in journal_entries(self.root, strings, self.since, self.until, self.deadline):
            if isinstance(entry, str):
                self.skip("journal", entry)
            elif self.choice.keeps_entry(entry) and self._within(_moment(entry), ambiguous=False):
                self.tell({"k": "journal", "e": entry})
                self._count()

    def _scan(self) -> Scan:
        return Scan(self.engines, self.choice.strings, self.limits["events_per_file"] * LINES_PER_EVENT, self.deadline, self.ways)

    def _complain(self, scan: Scan) -> None:
        self.used.update(scan.used)
        for complaint in scan.complaints:
            self.skip("", complaint, "its matches may be missing")
        if scan.late:
            self.skip("", self._late(), NARROW)

    def _late(self) -> str:
        return f"the time limit of {self.limits['seconds']:g} s was reached before its end"

    def _answer(self, file: LogFile, attacher: Attacher, record: Record) -> bool:
        """Tell one record, if it is in the times asked for and wanted."""
        head = record.first.head
        moment, ambiguous = self.times.epoch(head.stamp, file.modified, file.newest) if head and head.stamp else (None, False)
        if (moment is not None and not self._within(moment, ambiguous=ambiguous)) or not self.choice.keeps(record):
            return False
        doubt = attacher.doubt(record, self.times)
        lines = [_text(line.text) for line in (record.first, *record.others)]
        file.newest = moment if doubt != "forged" and moment is not None else file.newest
        where = {"f": file.path, "s": file.service, "o": record.first.start, "h": record.hits}
        self.tell({"k": "r", "t": moment, "x": record.flags(ambiguous=ambiguous, doubt=doubt), "m": lines, **where})
        self._count()
        return True

    def _count(self) -> None:
        """Count what was told; raises Enough at a limit."""
        self.records += 1
        if self.records >= self.limits["events"]:
            self.skip("", f"only the first {self.records} records that match are shown", NARROW)
            raise Enough
        if self.sent >= self.limits["answer_bytes"]:
            self.skip("", f"the answer reached its limit of {self.limits['answer_bytes']} bytes", NARROW)
            raise Enough

    def _within(self, moment: float, *, ambiguous: bool) -> bool:
        slack = 3600.0 if ambiguous else 0.0
        return (self.since is None or moment + slack >= self.since) and (self.until is None or moment <= self.until)


def _moment(entry: dict[str, str]) -> float:
    return float(entry.get("__REALTIME_TIMESTAMP") or 0) / 1e6


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def main(request: dict[str, Any]) -> None:
    """Answer `request` on standard output; ends by itself soon after its time limit, whatever hangs."""
    signal.alarm(int(request["limits"]["seconds"]) + 15)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 65536:
        resource.setrlimit(resource.RLIMIT_NOFILE, (65536 if hard == resource.RLIM_INFINITY else min(hard, 65536), hard))
    request["clock"] = sys.argv[1] if len(sys.argv) > 1 else ""
    if "count" in request:
        count_lines(request)
    else:
        Agent(request).run()
    sys.stdout.flush()
    os._exit(0)  # taking all apart first takes 6 ms of the 40 of a start and an end
