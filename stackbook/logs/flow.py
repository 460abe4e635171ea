"""Content on its way through a program: it is kept until the program has told what it found there, and no longer.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.

A program tells where it found something, not how far it has come. So marks are strewn into what it reads, lines that it is
told to find, too: when it tells of one, it has told all that stands before.
"""

from __future__ import annotations

import collections
import os
import subprocess
import uuid
import zlib
from collections.abc import Iterator

MARK = str(uuid.uuid4())
"""A text that stands in no log."""
STEP = 2 * 1024 * 1024
"""Bytes of content from one mark to the next."""
REACH = 256 * 1024
"""Bytes before a mark that parts a line, which are sent again after it: what the mark parts stands there whole."""
AT_ONCE = 512 * 1024
"""Bytes that are written before what the program tells is read: it may read as fast as we write."""
LONGEST = 64 * 1024 * 1024
"""Bytes of a line after which a mark parts it: until its end it would all be kept."""


class Chunk:
    """Matches, and the content around them."""

    __slots__ = ("base", "data", "last", "offsets")

    def __init__(self, base: int, data: bytes, offsets: list[int], *, last: bool) -> None:
        self.base = base
        """Offset of the first byte of `data` in the content."""
        self.data = data
        self.offsets = offsets
        self.last = last


class Flow:
    """What comes out of `parts`; `error` tells why it ended though it should not have."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.error = ""
        self.size = 0
        """Bytes that have come."""
        self._parts = parts
        self._kept: collections.deque[bytes] = collections.deque()
        self._base = 0
        self.done = 0
        """Offset before which matches were given."""
        self._queue: collections.deque[memoryview] = collections.deque()
        self._queued = self._since = 0
        self._segments: collections.deque[tuple[int, int]] = collections.deque([(0, 0)])
        """Where in what was sent each segment begins, and where in the content; the first holds what is told next."""
        self._marks: collections.deque[int] = collections.deque()
        """Offsets in the content, ends of lines, of the marks that were not told yet."""
        self._told = 0

    def come(self, size: int) -> bool:
        """Let content come until there are `size` bytes; whether there are."""
        while self.size < size:
            if not self._take():
                return False
        return True

    def unsent(self) -> None:
        """Send no program what has come."""
        self._queue.clear()

    def more(self, out: int) -> bool:
        """Write what the pipe `out` takes now, so that what the program tells is heard meanwhile; whether there is more."""
        sent = 0
        while sent < AT_ONCE:
            if not self._queue and not self._take():
                return False
            try:
                written = os.write(out, self._queue[0])
            except BlockingIOError:
                return True
            except BrokenPipeError:
                return False
            sent += written
            rest = self._queue.popleft()[written:]
            if rest:
                self._queue.appendleft(rest)
        return True

    def place(self, offset: int) -> int:
        """Offset in the content, of what stands at `offset` in what was sent; of places in order."""
        while len(self._segments) > 1 and self._segments[1][0] <= offset:
            self._segments.popleft()
        sent, start = self._segments[0]
        return start + offset - sent

    def read(self, start: int, stop: int) -> bytes:
        """Content that is kept."""
        found, at = [], self._base
        for part in self._kept:
            if at >= stop:
                break
            if at + len(part) > start:
                found.append(part[max(0, start - at) : stop - at])
            at += len(part)
        return b"".join(found)

    def told(self, offsets: list[int]) -> Chunk | None:
        """A mark was told: the chunk up to the one before, so that more follows than a record takes; see `chunk`."""
        before, self._told = self._told, self._marks.popleft()
        return self.chunk(offsets, before)

    def passed(self, offsets: list[int]) -> Iterator[Chunk]:
        """All that has come was searched: the chunks up to the last mark but one."""
        while self._marks:
            chunk = self.told(offsets)
            if chunk:
                yield chunk

    def chunk(self, offsets: list[int], until: int) -> Chunk | None:
        """Content up to `until`, whole lines, with those of `offsets` that lie there taken out of it, and the chunk before it.

        None when that is no more than was given before.
        """
        if until <= self.done:
            return None
        within = sorted({offset for offset in offsets if self.done <= offset < until})
        offsets[:] = [offset for offset in offsets if offset >= until]
        made = Chunk(self._base, b"".join(self._kept) if within else b"", within, last=until >= self.size)
        while self._kept and self._base + len(self._kept[0]) <= self.done:
            self._base += len(self._kept.popleft())
        self.done = until
        return made

    def _take(self) -> bool:
        """Take the next part; whether there was one."""
        try:
            part = next(self._parts, b"")
        except (OSError, EOFError, ValueError, zlib.error, subprocess.SubprocessError) as failure:
            self.error = str(failure) or type(failure).__name__
            part = b""
        if not part:
            return False
        self._kept.append(part)
        self.size += len(part)
        self._since += len(part)
        self._send(part)
        return True

    def _send(self, part: bytes) -> None:
        """Queue a part, with a mark at the end of its last line where one is due."""
        end = part.rfind(b"\n") + 1 if self._since >= STEP else 0
        if end:
            self._put(part[:end])
            self._mark(self.size - len(part) + end, b"")
            self._put(part[end:])
        else:
            self._put(part)
            if self._since >= LONGEST:
                self._mark(self.size - REACH, b"\n")
                self._put(self.read(self.size - REACH, self.size))

    def _mark(self, at: int, before: bytes) -> None:
        """Mark that all content before `at` was sent; after the mark it goes on there."""
        self._put(before + MARK.encode() + b"\n")
        self._marks.append(at)
        self._segments.append((self._queued, at))
        self._since = self.size - at

    def _put(self, data: bytes) -> None:
        if data:
            self._queue.append(memoryview(data))
            self._queued += len(data)
