"""Running the engines over files: yields the places of matches, and keeps what went wrong.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.

Only places leave an engine, never lines: a line of any length, or matches by the gigabyte, cost no memory.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Generator, Iterator, Sequence

from stackbook.logs.engines import TAIL, UUID, Engine, passes, tails, tree
from stackbook.logs.running import Feed, Piece, Run
from stackbook.logs.ways import MAPPED, READ, Ways, spent

CHUNK = 4 * 1024 * 1024
FEW = 8
"""Strings up to which finding each by itself is faster than one expression for all."""
_AT_ONCE = 500
"""Files named to one program."""
_SIGBUS = -7
"""How a program ends that had a file mapped when it was cut short."""
_SIGPIPE = -13


class Scan:
    """One search for some strings."""

    def __init__(
        self, available: Sequence[Engine], strings: Sequence[str], most: int, deadline: float, ways: Ways | None = None
    ) -> None:
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
        self._ways = ways or Ways(len(strings))
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
            for way, group in self._ways.groups(whole) if engine.name == "rg" else [("", whole)]:
                before = spent()
                for at in range(0, len(group), _AT_ONCE):
                    yield from self._opened(engine, command, way, group[at : at + _AT_ONCE])
                self._ways.note(way, group, spent() - before)
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

    def _opened(self, engine: Engine, command: list[str], way: str, pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
        """Let the program read whole files; ``/dev/fd`` opens what we hold open, wherever it was moved since."""
        by_path = {b"/dev/fd/%d" % piece.fd: piece for piece in pieces}
        fds = [piece.fd for piece in pieces]
        common = ["-H", "-m", str(self.most), "--", *map(os.fsdecode, by_path)]
        code = yield from self._placed([engine.program, *command, *_manner(way), *common], by_path, fds)
        if code == _SIGBUS and way == MAPPED:
            yield from self._placed([engine.program, *command, *_manner(READ), *common], by_path, fds)

    def _placed(self, command: list[str], by_path: dict[bytes, Piece], fds: list[int]) -> Generator[tuple[int, int], None, int]:
        run = Run(command, fds, None, self.deadline)
        for line in run.lines():
            path, _, rest = line.partition(b"\0")
            piece = by_path.get(path)
            offset = self._offset(rest, piece.fd, 0) if piece is not None else None
            if piece is not None and offset is not None and offset < piece.stop:
                yield piece.key, offset
        return self._note(run)

    def _piped(self, engine: Engine, command: list[str], pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
        """Feed parts of files to one program, one after the other."""
        left = list(pieces)
        while left and not self.late:
            left = yield from self._fed(engine, command, left)

    def _fed(self, engine: Engine, command: list[str], pieces: Sequence[Piece]) -> Generator[tuple[int, int], None, list[Piece]]:
        """The same up to the limit of matching lines; returns what is left then."""
        feed, most = Feed(pieces), self.most * len(pieces)
        name = "-I" if engine.name == "rg" else "-h"
        run = Run([engine.program, *command, name, "-m", str(most), "--", "-"], [], feed, self.deadline)
        counts, at, place = [0] * len(pieces), 0, 0
        for line in run.lines():
            number = _number(line)
            if number is not None:
                at, place = feed.place(number)
                counts[at] += 1
                offset = self._offset(line, pieces[at].fd, place - number)
                if offset is not None:
                    yield pieces[at].key, offset
        self._note(run)
        if sum(counts) < most:
            return []
        last = pieces[at]
        rest = [Piece(last.key, last.fd, place + 1, last.stop, whole=False)] if counts[at] < self.most else []
        return [*rest, *pieces[at + 1 :]]

    def _offset(self, said: bytes, fd: int, moved: int) -> int | None:
        """Where the string begins of which a program says ``offset:text``; None when only its end is there."""
        number, text = _number(said), said.partition(b":")[2]
        heads = self._tails.get(text)
        if number is None or heads is None:
            return None if number is None else number + moved
        offset = number + moved - TAIL
        return offset if offset >= 0 and os.pread(fd, TAIL, offset) in heads else None

    def _note(self, run: Run) -> int:
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


def _manner(way: str) -> list[str]:
    """What ripgrep is told beside what to find; nothing for others, which have no `way`."""
    return [way, "-j", str(min(4, os.cpu_count() or 1))] if way else []


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
