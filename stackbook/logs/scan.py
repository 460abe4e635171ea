"""Running the engines over files: yields the places of matches, and keeps what went wrong.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.

Only places leave an engine, never lines: a line of any length, or matches by the gigabyte, cost no memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import subprocess
import time
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence

from stackbook.logs.engines import TAIL, UUID, Engine, environment, passes, tails, tree

CHUNK = 4 * 1024 * 1024
FEW = 8
"""Strings up to which finding each by itself is faster than one expression for all."""
_AT_ONCE = 500
"""Files named to one program."""
_SIGBUS = -7
"""How a program ends that had a file mapped when it was cut short."""
_SIGPIPE = -13


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


class Scan:
    """One search for some strings."""

    def __init__(self, available: Sequence[Engine], strings: Sequence[str], most: int, deadline: float) -> None:
        self.engine = available[0]
        self.strings = list(strings)
        self.most = most
        """Matching lines of one file, after which the rest of it is left out."""
        self.deadline = deadline
        """By `time.monotonic`."""
        self.complaints: list[str] = []
        self.late = False
        self.used: dict[str, None] = {}
        """The engines that worked, in order."""
        self._passes = passes(available, self.strings) if self.engine.name != "python" and strings else []
        self._tails = tails(self.engine, self.strings) if all(engine is self.engine for engine, _ in self._passes) else {}
        self._longest = max([2, *(len(_bytes(string)) for string in self.strings)])
        self._finders: list[re.Pattern[bytes] | bytes] = []

    def places(self, pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
        """Key and offset of the matches in `pieces`, those of a file not always in order."""
        if self.engine.name == "python":
            yield from self._by_hand(pieces)
        whole = [piece for piece in pieces if piece.whole]
        parts = [piece for piece in pieces if not piece.whole]
        for engine, command in self._passes:
            self.used[str(engine)] = None
            for at in range(0, len(whole), _AT_ONCE):
                yield from self._opened(engine, command, whole[at : at + _AT_ONCE])
            if parts and not self.late:
                yield from self._piped(engine, command, parts)

    def within(self, data: bytes) -> list[int]:
        """Offsets of the matches in `data`, found by Python."""
        found: list[int] = []
        self.used["python"] = None
        self._finders = self._finders or _finders(self.strings)
        for finder in self._finders:
            if isinstance(finder, bytes):
                at = data.find(finder)
                while at >= 0:
                    found.append(at)
                    at = data.find(finder, at + 1)
            else:
                found += [match.start() for match in finder.finditer(data)]
        return sorted(found)

    def _opened(self, engine: Engine, command: list[str], pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
        """Let the program read whole files; ``/dev/fd`` opens what we hold open, wherever it was moved since."""
        by_path = {b"/dev/fd/%d" % piece.fd: piece for piece in pieces}
        command = [engine.program, *command, "-H", "-m", str(self.most), *_threads(engine), "--", *map(os.fsdecode, by_path)]
        code = yield from self._placed(command, by_path, [piece.fd for piece in pieces])
        if code == _SIGBUS:
            yield from self._placed([part for part in command if part != "--mmap"], by_path, [piece.fd for piece in pieces])

    def _placed(self, command: list[str], by_path: dict[bytes, Piece], fds: list[int]) -> Generator[tuple[int, int], None, int]:
        run = _Run(command, fds, None, self.deadline)
        for line in run.lines():
            path, _, rest = line.partition(b"\0")
            piece = by_path.get(path)
            offset = self._offset(rest, piece.fd, 0) if piece is not None else None
            if piece is not None and offset is not None and offset < piece.stop:
                yield piece.key, offset
        return self._note(run)

    def _piped(self, engine: Engine, command: list[str], pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
        """Feed parts of files to one program, one after the other."""
        feed = _Feed(pieces)
        name = "-I" if engine.name == "rg" else "-h"
        run = _Run([engine.program, *command, name, "-m", str(self.most * len(pieces)), "--", "-"], [], feed, self.deadline)
        for line in run.lines():
            number = _number(line)
            if number is not None:
                piece, place = feed.place(number)
                offset = self._offset(line, piece.fd, place - number)
                if offset is not None:
                    yield piece.key, offset
        self._note(run)

    def _offset(self, said: bytes, fd: int, moved: int) -> int | None:
        """Where the string begins of which a program says ``offset:text``; None when only its end is there."""
        number, text = _number(said), said.partition(b":")[2]
        heads = self._tails.get(text)
        if number is None or heads is None:
            return None if number is None else number + moved
        offset = number + moved - TAIL
        return offset if offset >= 0 and os.pread(fd, TAIL, offset) in heads else None

    def _note(self, run: _Run) -> int:
        self.late = self.late or run.late
        if run.code not in (0, 1, _SIGBUS, _SIGPIPE) and not run.late:
            text = run.said.decode("utf-8", "replace").strip()
            self.complaints.append(f"{os.path.basename(run.command[0])} ended with {run.code}: {text[:500]}")
        return run.code

    def _by_hand(self, pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
        self.used["python"] = None
        for piece in pieces:
            place, kept = piece.start, b""
            while place < piece.stop and not self.late:
                data = os.pread(piece.fd, min(CHUNK, piece.stop - place), place)
                if not data:
                    break
                for offset in self.within(kept + data):
                    yield piece.key, place - len(kept) + offset
                place += len(data)
                kept = (kept + data)[-(self._longest - 1) :]
                self.late = time.monotonic() > self.deadline


class _Run:
    """A program at work: its output by lines, its input fed in the meantime, its complaints kept."""

    def __init__(self, command: list[str], fds: list[int], feed: _Feed | None, deadline: float) -> None:
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
                _widen(process.stdin.fileno())
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


class _Feed:
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

    def place(self, offset: int) -> tuple[Piece, int]:
        """The part that a byte of the stream is of, and its offset in the file."""
        at = bisect_right(self._starts, offset) - 1
        return self._pieces[at], self._pieces[at].start + offset - self._starts[at]

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


def _widen(pipe: int) -> None:
    """Let a pipe hold more than its 64 KiB, where the system has such pipes and allows it: both ends are woken less often."""
    with contextlib.suppress(OSError, ValueError):
        fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE)


_SET_PIPE_SIZE, _PIPE = 1031, 512 * 1024
"""Linux's F_SETPIPE_SZ, which Python has a name for since 3.10 only; bytes."""


def _threads(engine: Engine) -> list[str]:
    return ["-j", str(min(4, os.cpu_count() or 1))] if engine.name == "rg" else []


def _number(text: bytes) -> int | None:
    digits = text.partition(b":")[0]
    return int(digits) if digits.isdigit() else None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _finders(strings: Sequence[str]) -> list[re.Pattern[bytes] | bytes]:
    """Few strings as they are; of many, the UUIDs as one expression."""
    uuids = sorted({string for string in strings if UUID.match(string)})
    if len(uuids) <= FEW:
        return [_bytes(string) for string in strings]
    others = [_bytes(string) for string in strings if not UUID.match(string)]
    return [*others, re.compile(_bytes(tree(uuids)))]
