"""The program that is sent to a host: finds, seeks, searches, attaches, and answers one JSON object per line.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only. It reads, and writes nothing
but its answer.
"""

from __future__ import annotations

import collections
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from stackbook.logs.attach import Attacher, Record, Text
from stackbook.logs.choice import Choice
from stackbook.logs.compressed import CHUNK, Chunk, chunks, content
from stackbook.logs.engines import engines
from stackbook.logs.find import NO_FILE, LogFile, compression_of, find_logs
from stackbook.logs.journal import journal_entries
from stackbook.logs.lines import Times
from stackbook.logs.scan import Piece, Scan
from stackbook.logs.seek import SLACK, first_time, span

LINES_PER_EVENT = 20
"""Lines of one record that may match; what an engine may give for one record."""
HELD_BACK = 8
SMALL = 1024 * 1024
"""Bytes times strings below which starting a program costs more than finding by hand."""
STARTING = 30.0
"""Seconds that it may take until this program runs, on a host with much to do."""
LEAST_ROOM = 64 * 1024
"""Bytes; a disk with less is full."""
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
            for file in files:
                if file.compression:
                    self._packed(file)
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

    def _packed(self, file: LogFile) -> None:
        """Search a compressed file chunk by chunk."""
        if self._too_old(file):
            self.pruned += 1
            return
        for number, chunk in enumerate(chunks(file.fd, file.compression)):
            if chunk.error:
                self.skip(file.path, chunk.error)
            elif number == 0 and self._too_new(chunk.read(64 * 1024)):
                self.pruned += 1
                return
            else:
                self.bytes += chunk.fresh
                self._chunk(file, chunk)
            if file.told >= self.limits["events_per_file"] and not chunk.last:
                self.skip(file.path, f"only its first {file.told} records that match are shown", NARROW)
                break
            if time.monotonic() > self.deadline:
                self.skip(file.path, self._late(), NARROW)
                break
        self.searched += 1

    def _too_new(self, data: bytes) -> bool:
        first = first_time(data, self.times) if self.until is not None else None
        return first is not None and self.until is not None and first > self.until + SLACK

    def _chunk(self, file: LogFile, chunk: Chunk) -> None:
        scan = self._scan()
        if scan.engine.name == "python" or chunk.size * len(self.choice.strings) < SMALL:
            found = scan.within(chunk.read(chunk.size))
        else:
            found = [offset for _, offset in scan.places([Piece(0, chunk.fd, 0, chunk.size, whole=chunk.size == CHUNK)])]
        self._complain(scan)
        offsets = sorted({offset + chunk.base for offset in found if chunk.done <= offset + chunk.base < chunk.until})
        if offsets:
            self._answer_all(file, Text(chunk.fd, chunk.base, chunk.base + chunk.size, chunk.base), offsets, offsets[-1])

    def _journal(self) -> None:
        strings = self.choice.strings if self.choice.every else []
        for entry in journal_entries(self.root, strings, self.since, self.until, self.deadline):
            if isinstance(entry, str):
                self.skip("journal", entry)
            elif self.choice.keeps_entry(entry) and self._within(_moment(entry), ambiguous=False):
                self.tell({"k": "journal", "e": entry})
                self._count()

    def _scan(self) -> Scan:
        return Scan(self.engines, self.choice.strings, self.limits["events_per_file"] * LINES_PER_EVENT, self.deadline)

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


def clock_ahead(told: str) -> float:
    """Seconds that the host's ``date`` is ahead of what this process takes for the time: 0 wherever they are the same clock."""
    try:
        ahead = float(told) - time.time()
    except ValueError:  # no date, or one without parts of a second
        return 0.0
    return ahead if abs(ahead) > STARTING else 0.0


def by_clock(request: dict[str, Any], now: float) -> tuple[float | None, float | None]:
    """The times asked for, by this host's clock: one that is wrong by more than a slow start explains moves them along."""
    ahead = now - request.get("asked", now)
    if abs(ahead) <= STARTING:
        return request.get("since"), request.get("until")
    since, until = request.get("since"), request.get("until")
    return since and since + ahead - STARTING, until and until + ahead + STARTING


def full_folders(root: str, files: Sequence[LogFile]) -> list[str]:
    """The folders of `files` in whose file system there is no room."""
    folders = sorted({os.path.dirname(file.path) for file in files})
    return [folder for folder in folders if _room(os.path.join(root, folder.lstrip("/"))) < LEAST_ROOM]


def _room(folder: str) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return LEAST_ROOM
    return found.f_bavail * found.f_frsize


def _moment(entry: dict[str, str]) -> float:
    return float(entry.get("__REALTIME_TIMESTAMP") or 0) / 1e6


def records(attacher: Attacher, offsets: Sequence[int]) -> Iterator[tuple[Record, int]]:
    """The records of matches at `offsets`, in order, each once, with the last offset looked at.

    The newest few are held back: a later match may turn out to be another line of one of them.
    """
    pending: collections.deque[Record] = collections.deque()
    last = -1
    for offset in offsets:
        record = attacher.record(offset)
        last = offset
        if record is not None:
            pending.append(record)
            if len(pending) > HELD_BACK:
                yield pending.popleft(), last
    for record in pending:
        yield record, last


def data_extents(fd: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The parts of ``start..stop`` that hold data: a file cut short under its writer has a hole, perhaps of gigabytes."""
    place = start
    while place < stop:
        try:
            first = max(place, os.lseek(fd, place, os.SEEK_DATA))
            last = min(stop, os.lseek(fd, first, os.SEEK_HOLE))
        except OSError as error:
            if error.errno != _NOTHING_MORE:
                yield place, stop
            return
        if first < last:
            yield first, last
        place = last


_NOTHING_MORE = 6
"""ENXIO: only a hole is left."""


def count_lines(request: dict[str, Any]) -> None:
    """Tell the line numbers of places, ``[file, offset]`` in order; of compressed files as places in their content."""
    for path, places in request["count"].items():
        try:
            fd = os.open(os.path.join(request["root"], path.lstrip("/")), os.O_RDONLY)
            for place, number in _numbers(content(fd, compression_of(path)), places):
                print(json.dumps({"k": "line", "f": path, "o": place, "n": number}))
        except (OSError, EOFError, ValueError):
            continue  # they stay without a number


def _numbers(parts: Iterator[bytes], places: list[int]) -> Iterator[tuple[int, int]]:
    """Each of `places` with the number of the line that begins there."""
    number, done, left = 1, 0, sorted(places)
    for part in parts:
        at = 0
        while left and left[0] <= done + len(part):
            number += part.count(b"\n", at, left[0] - done)
            at = left[0] - done
            yield left.pop(0), number
        if not left:
            return
        number, done = number + part.count(b"\n", at), done + len(part)


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
