"""Programs at work on logs: their output by lines, their input fed in the meantime, within a time.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from stackbook.logs.engines import environment


class Piece:
    """A part of a file to search."""

    __slots__ = ("fd", "key", "start", "stop", "whole")

    def __init__(self, key: int, fd: int, start: int, stop: int, *, whole: bool) -> None:
        self.key = key
        """The number of the file, given back with each match."""
        self.fd = fd
        self.start = start
        self.stop = stop
        self.whole = whole
        """Whether it is all of the file, so that a program may open it by itself."""


class Run:
    """A program at work: its output by lines, its input fed in the meantime, its complaints kept."""

    def __init__(self, command: list[str], fds: list[int], feed: Feed | None, deadline: float) -> None:
        self.command = command
        self.code = 0
        self.said = b""
        self.late = False
        self._fds = fds
        self._feed = feed
        self._deadline = deadline

    def lines(self) -> Iterator[bytes]:
        """Its output without newlines; it is killed when it is late, or no longer listened to."""
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE if self._feed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            pass_fds=self._fds,
            bufsize=0,
        )
        try:
            if process.stdin:
                widen(process.stdin.fileno())
            yield from self._listen(process)
        finally:
            if self.late or process.poll() is None:
                process.kill()
            self.code = process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()

    def _listen(self, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
        out, err = process.stdout.fileno(), process.stderr.fileno()  # type: ignore[union-attr]
        waiting, reading, rest = select.poll(), {out, err}, b""  # select knows no file above number 1023
        for fd in reading:
            waiting.register(fd, select.POLLIN)
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
            waiting.register(process.stdin.fileno(), select.POLLOUT)
        while reading:
            ready = waiting.poll(max(0.0, self._deadline - time.monotonic()) * 1000)
            if not ready:
                self.late = True
                return
            for fd, _ in ready:
                if fd not in reading:
                    if not self._feed.more(fd):  # type: ignore[union-attr]
                        waiting.unregister(fd)
                        process.stdin.close()  # type: ignore[union-attr]
                    continue
                data = os.read(fd, 65536)
                if not data:
                    waiting.unregister(fd)
                    reading.remove(fd)
                elif fd == err:
                    self.said = (self.said + data)[:4096]
                else:
                    lines = (rest + data).split(b"\n")
                    rest = lines.pop()
                    yield from lines
        process.wait()


class Feed:
    """Parts of files, written into a pipe one after the other; knows where each byte of the stream came from."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._starts: list[int] = []
        self._now = 0
        self._sent = 0
        start = 0
        for piece in pieces:
            self._starts.append(start)
            start += piece.stop - piece.start + 1

    def place(self, offset: int) -> tuple[int, int]:
        """The number of the part that a byte of the stream is of, and its offset in the file."""
        at = bisect_right(self._starts, offset) - 1
        return at, self._pieces[at].start + offset - self._starts[at]

    def more(self, out: int) -> bool:
        """Write what the pipe takes now; whether there is more to come."""
        try:
            self._write(out)
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        return self._now < len(self._pieces)

    def _write(self, out: int) -> None:
        piece = self._pieces[self._now]
        left = piece.stop - piece.start - self._sent
        done = os.sendfile(out, piece.fd, piece.start + self._sent, left) if left else 0
        if not done:  # its end, or it was cut short: newlines stand for what is missing
            done = os.write(out, b"\n" * min(left + 1, 65536))
        self._sent += done
        if self._sent > piece.stop - piece.start:
            self._now, self._sent = self._now + 1, 0


def widen(pipe: int) -> None:
    """Let a pipe hold more than its 64 KiB, where the system has such pipes and allows it: both ends are woken less often."""
    with contextlib.suppress(OSError, ValueError):
        fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE)


_SET_PIPE_SIZE, _PIPE = 1031, 512 * 1024
"""Linux's F_SETPIPE_SZ, which Python has a name for since 3.10 only; bytes."""
