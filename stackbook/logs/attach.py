"""From a match to the whole record: its head before it, the lines of its message and traceback after it.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.

A traceback's lines carry no request id. They are told by position: they follow their record with the same time to the
millisecond and the same process, at level ERROR (TRACE in old releases), without a context.
"""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator, Sequence

from stackbook.logs.lines import BACKWARD, LINE_LIMIT, Head, Times, head_of, same_head, unwrapped, without_colours

REACH = 256 * 1024
"""Bytes around a match in which its record's other lines are looked for."""
STRANGERS = 40
"""Lines of other processes that may stand between two lines of one record."""
NEIGHBOURS = 3
"""Records on each side that a record is compared with."""
HELD_BACK = 8
"""Records that wait for a further line of theirs to match."""
_REMEMBERED = 5000
_LATELY = 300


class Text:
    """The content of a file, or a part of it: of a compressed one what is in memory now."""

    def __init__(self, fd: int, begin: int, end: int, base: int = 0, data: bytes = b"") -> None:
        self.begin = begin
        self.end = end
        self._fd = fd
        self._base = base
        """Where in the content the file `fd` begins."""
        self._page, self._at = data, begin if data else -1

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`, as offsets in the file's content."""
        start, stop = max(start, self.begin), min(stop, self.end)
        if start >= stop:
            return b""
        if not self._at <= start <= stop <= self._at + len(self._page):
            self._at = max(self.begin, start - _PAGE)
            self._page = os.pread(self._fd, max(stop, start + 3 * _PAGE) - self._at, self._at - self._base)
        return self._page[start - self._at : stop - self._at]

    def line(self, start: int) -> tuple[bytes, int]:
        """The line that begins at `start`, at most 64 KiB of it and without its newline, and where it ends."""
        at = start - self._at
        if 0 <= at < len(self._page):
            end = self._page.find(b"\n", at, at + LINE_LIMIT)
            if end >= 0 and self._at + end < self.end:
                return self._page[at:end], self._at + end + 1
        stop = self.line_end(start)
        return self.read(start, min(stop, start + LINE_LIMIT)), stop

    def line_start(self, offset: int) -> int:
        """The beginning of the line that `offset` is in."""
        step, place = 1024, offset
        while place > self.begin:
            data = self.read(place - step, place)
            at = data.rfind(b"\n")
            if at >= 0:
                return place - len(data) + at + 1
            place -= len(data)
            step = min(step * 8, 1024 * 1024)
            if not data:
                break
        return max(place, self.begin)

    def line_end(self, offset: int) -> int:
        """The end of the line that `offset` is in, after its newline."""
        step, place = 1024, offset
        while place < self.end:
            data = self.read(place, place + step)
            at = data.find(b"\n")
            if at >= 0:
                return place + at + 1
            place += len(data)
            step = min(step * 8, 1024 * 1024)
            if not data:
                break
        return self.end


_PAGE = 32 * 1024


class Line:
    """A line of a file, at most 64 KiB of it."""

    __slots__ = ("cut", "head", "start", "stop", "text")

    def __init__(self, text: Text, start: int, before: Line | None = None) -> None:
        self.start = start
        raw, self.stop = text.line(start)
        if raw[:1] == b"\0":
            raw = text.read(start, self.stop) if self.stop - start < REACH else raw
            raw = raw.lstrip(b"\0")[:LINE_LIMIT]
        self.cut = self.stop - start > LINE_LIMIT + 1
        self.text = unwrapped(without_colours(raw))
        same = before is not None and same_head(self.text, before.text, before.head)
        self.head: Head | None = before.head if before is not None and same else head_of(self.text)

    @property
    def begins(self) -> bool:
        """Whether it is the first line of a record."""
        return self.head is not None and not self.head.continues


class Record:
    """A record: its first line, the others, and which of them matched."""

    __slots__ = ("first", "hits", "others")

    def __init__(self, first: Line) -> None:
        self.first = first
        self.others: list[Line] = []
        self.hits: list[int] = []
        """Offsets of the lines that matched."""

    def flags(self, *, ambiguous: bool, doubt: str) -> list[str]:
        """What a reader should know of it; see `stackbook.logs.event.LogEvent.flags`."""
        cut = any(line.cut for line in (self.first, *self.others))
        given = {"headless": self.first.head is None, "ambiguous-time": ambiguous, "cut": cut, doubt: bool(doubt)}
        return [flag for flag, true in given.items() if true]


class Attacher:
    """Makes records of the matches in one file; give them in order of offset."""

    def __init__(self, text: Text, most_lines: int) -> None:
        self.text = text
        self.most_lines = most_lines
        self._owners: dict[int, Record] = {}
        self._lately: dict[int, Line] = {}
        self._line_stop = -1

    def record(self, offset: int) -> Record | None:
        """The record that the byte at `offset` belongs to; None when an earlier match gave it already."""
        if offset < self._line_stop:
            return None
        start = self.text.line_start(offset)
        known = self._owners.get(start)
        if known is not None:
            known.hits.append(start)
            self._line_stop = self.text.line(start)[1]
            return None
        line = self._line(start)
        self._line_stop = line.stop
        first = line if line.begins else self._owner(line)
        record = Record(first)
        record.hits.append(line.start)
        self._follow(record)
        if line.start != first.start and all(other.start != line.start for other in record.others):
            record = Record(line)
            record.hits.append(line.start)
            self._follow(record)
        if len(self._owners) > _REMEMBERED:
            self._owners = {}
        self._owners.update((owned.start, record) for owned in (record.first, *record.others))
        return record

    def _line(self, start: int, before: Line | None = None) -> Line:
        """The line at `start`; those read lately are kept: records that stand together look at the same ones."""
        found = self._lately.get(start)
        if found is None:
            if len(self._lately) > _LATELY:
                self._lately.clear()
            found = self._lately[start] = Line(self.text, start, before)
        return found

    def _owner(self, line: Line) -> Line:
        """The first line of the record that `line` continues; `line` itself when there is none near."""
        first, place, strangers = line, line.start, 0
        key = line.head.key if line.head else None
        while place > self.text.begin and strangers <= STRANGERS and line.start - place < REACH:
            before = self._line(self.text.line_start(place - 1))
            place = before.start
            if before.head is None:
                if key is None:
                    first = before
                continue
            if key is None:
                key = before.head.key
            if before.head.key != key:
                strangers += 1
                continue
            first = before
            if not before.head.continues:
                break
        return first

    def _follow(self, record: Record) -> None:
        """Add the lines after the first one that belong to it."""
        key = record.first.head.key if record.first.head else None
        place, strangers, ours = record.first.stop, 0, True
        while place < self.text.end and strangers <= STRANGERS and len(record.others) < self.most_lines:
            if place - record.first.stop > REACH:
                break
            line = self._line(place, record.others[-1] if record.others else None)
            place = line.stop
            if line.head is None:
                if ours:
                    record.others.append(line)
                continue
            ours = line.head.continues and line.head.key == key
            if ours:
                record.others.append(line)
            elif key is None or line.head.key == key or (line.begins and line.head.pid == key[1]):
                break
            else:
                strangers += 1
        while record.others and not record.others[-1].text:
            record.others.pop()

    def doubt(self, record: Record, times: Times) -> str:
        """Whether `record` is ``forged`` or ``out-of-order``; empty when it is neither."""
        return suspicion(record, *self.neighbours(record, NEIGHBOURS), times, self.text)

    def neighbours(self, record: Record, count: int) -> tuple[list[Line], list[Line]]:
        """Up to `count` first lines of records before and after `record`."""
        before: list[Line] = []
        place = record.first.start
        for _ in range(4 * count):
            if place <= self.text.begin or len(before) == count or record.first.start - place > REACH:
                break
            line = self._line(self.text.line_start(place - 1))
            place = line.start
            if line.begins:
                before.append(line)
        after: list[Line] = []
        place = record.others[-1].stop if record.others else record.first.stop
        for _ in range(4 * count):
            if place >= self.text.end or len(after) == count or place - record.first.stop > REACH:
                break
            line = self._line(place)
            place = line.stop
            if line.begins:
                after.append(line)
        return before, after


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


def suspicion(record: Record, before: list[Line], after: list[Line], times: Times, text: Text) -> str:
    """Whether the record is ``forged`` or ``out-of-order``, judged by its neighbours; empty when it is neither.

    oslo.log does not escape newlines, so a message may contain what looks like another record. Such a line has a process
    that nothing else around it has, or a time to which the lines after it do not go on.
    """
    own = _moments([record.first], times)
    if not own:
        return ""
    earlier, later = _moments(before, times), _moments(after, times)
    if any(ambiguous for _, ambiguous in (*own, *earlier, *later)):
        return ""  # an hour that a clock change repeats
    return _by_times(own[0][0], [moment for moment, _ in earlier], [moment for moment, _ in later]) or (
        "forged" if _alone(record, before, after, text) else ""
    )


def _by_times(own: float, earlier: list[float], later: list[float]) -> str:
    goes_on = earlier and later and min(later) >= max(earlier) - BACKWARD
    if goes_on and (own < max(earlier) - BACKWARD or own > min(later) + BACKWARD):
        return "forged"
    return "out-of-order" if earlier and own < sorted(earlier)[len(earlier) // 2] - 0.5 else ""


def _alone(record: Record, before: list[Line], after: list[Line], text: Text) -> bool:
    """Whether one process wrote all around the record, and another one the record and nothing else near."""
    pids = {line.head.pid for line in (*before, *after) if line.head}
    pid = record.first.head.pid if record.first.head else None
    if pid is None or pid in pids or None in pids or len(pids) != 1 or min(len(before), len(after)) < _ENOUGH:
        return False
    return not _elsewhere(b" %d " % pid, record, text)


def _elsewhere(word: bytes, record: Record, text: Text) -> bool:
    """Whether `word` stands near the record, but not in it."""
    last = record.others[-1] if record.others else record.first
    around = text.read(record.first.start - REACH, record.first.start) + text.read(last.stop, last.stop + REACH)
    return word in around


_ENOUGH = 2


def _moments(lines: list[Line], times: Times) -> list[tuple[float, bool]]:
    return [times.epoch(line.head.stamp) for line in lines if line.head and line.head.stamp]
