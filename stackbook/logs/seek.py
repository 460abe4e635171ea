"""Where in a log file a time lies, by binary search: milliseconds instead of reading what is too old.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from stackbook.logs.lines import Times, head_of, without_colours

SLACK = 5.0
"""Seconds that workers may write out of order."""
GRAIN = 128 * 1024
"""Bytes; the search ends when it knows the place to within this."""
_PROBE = 16 * 1024
_FARTHEST = 1024 * 1024
"""Bytes read in search of a line with a time, before a place counts as unknown."""
_SAMPLES = 9


def span(fd: int, size: int, since: float | None, until: float | None, times: Times) -> tuple[int, int]:
    """The part of the file, as ``(start, stop)`` in bytes at beginnings of lines, that may hold times in `since`..`until`.

    Each time is in seconds since the epoch, or None. Nothing within the times is left out as long as lines are in order
    to `SLACK` seconds; single lines with false times do no harm, because each step looks at several lines.
    """
    start, stop = 0, size
    if size > 2 * GRAIN and since is not None:
        start = _line_after(fd, _boundary(fd, size, since - SLACK - _shift(since), times)[0], size)
    if size > 2 * GRAIN and until is not None:
        later = _boundary(fd, size, until + SLACK + _shift(until), times)[1]
        stop = _line_after(fd, min(size, later + _PROBE), size)  # most lines after it are later, but not each
    return start, max(start, stop)


def _boundary(fd: int, size: int, moment: float, times: Times) -> tuple[int, int]:
    """``(low, high)``: before low all is earlier than `moment`, from high on nothing is."""
    low, high = 0, size
    while high - low > GRAIN:
        middle = (low + high) // 2
        found = _median(fd, middle, high, times)
        if found is not None and found < moment:
            low = middle
        else:
            high = middle
    return low, high


def _median(fd: int, place: int, limit: int, times: Times) -> float | None:
    """The middle of the times of the next lines after `place`; None when there are none near."""
    found: list[float] = []
    read = 0
    rest = b""
    while not found and place + read < limit and read < _FARTHEST:
        data = rest + os.pread(fd, _PROBE, place + read)
        read += _PROBE
        lines = data.split(b"\n")
        rest = lines.pop()[-_PROBE:]
        for line in lines[1:] if read == _PROBE else lines:
            head = head_of(without_colours(line))
            if head is not None and head.stamp is not None:
                found.append(times.epoch(head.stamp)[0])
                if len(found) == _SAMPLES:
                    break
    return sorted(found)[len(found) // 2] if found else None


def _line_after(fd: int, place: int, size: int) -> int:
    """The beginning of the first line at or after `place`; the file's end when there is none."""
    if place in (0, size):
        return place
    place -= 1
    while place < size:
        data = os.pread(fd, _PROBE, place)
        if not data:
            break
        at = data.find(b"\n")
        if at >= 0:
            return place + at + 1
        place += len(data)
    return size


def _shift(moment: float) -> float:
    """Seconds by which local times repeat around `moment`, when clocks are set back near it."""
    offsets = [time.localtime(moment + hours * 3600).tm_gmtoff for hours in (-3, 0, 3)]
    return float(max(offsets) - min(offsets))


def first_time(data: bytes, times: Times) -> float | None:
    """The time of the first line in `data` that has one, in seconds since the epoch; None when none has."""
    for line in data.split(b"\n")[:200]:
        head = head_of(without_colours(line))
        if head is not None and head.stamp is not None:
            return times.epoch(head.stamp)[0]
    return None


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
