"""Searching for fixed strings with the best program that a host has: ripgrep, GNU grep, else Python itself.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.

Only the places of matches leave an engine, so that a line of any length, or matches by the gigabyte, cost no memory.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time

CHUNK = 4 * 1024 * 1024
_VERSION = re.compile(r"(\d+)(?:\.\d+)*")


class Engine:
    """A program that finds fixed strings."""

    def __init__(self, name, program="", version="", major=0):  # type: ignore[no-untyped-def]
        self.name: str = name
        """``rg``, ``grep`` or ``python``."""
        self.program: str = program
        self.version: str = version
        self.major: int = major

    def __str__(self) -> str:
        return (self.name + " " + self.version).strip()

    def batches(self, ids):  # type: ignore[no-untyped-def]
        """`ids` in the groups that this engine finds in one pass each; measured, see docs/benchmarks.md."""
        if self.name == "rg":
            return _rg_batches(ids, 20 if self.major >= 14 else 5)
        if self.name == "grep" and len(ids) <= GREP_SINGLE_PASSES:
            return [[name] for name in ids]
        return [list(ids)] if ids else []

    def command(self, patterns, most, named):  # type: ignore[no-untyped-def]
        """The program's arguments: print the place of each match, at most `most` lines in a file."""
        if self.name == "rg":
            fixed = [self.program, "--no-config", "-a", "-F", "-o", "-b", "-N", "--no-heading", "--color=never", "--encoding=none"]
            fixed += ["--no-mmap", "-j", "2", "-m", str(most), "--null", "-H" if named else "-I"]
        else:
            fixed = [self.program, "-a", "-F", "-o", "-b", "-m", str(most), "--null", "-H" if named else "-h"]
        for pattern in patterns:
            fixed += ["-e", pattern]
        return [*fixed, "--"]


GREP_SINGLE_PASSES = 6


def _rg_batches(ids, size):  # type: ignore[no-untyped-def]
    """Ids that begin alike go together: looking for their common beginning is fast whatever their number."""
    alike = [name for name in ids if name.startswith("req-")]
    if len(ids) <= size:
        return [list(ids)] if ids else []
    others = [name for name in ids if not name.startswith("req-")]
    groups = [others[at : at + size] for at in range(0, len(others), size)]
    return ([alike] if alike else []) + groups


def choose(wanted=""):  # type: ignore[no-untyped-def]
    """The best engine of this host; `wanted` (rg, grep, python) allows only that one, and None says it is not here."""
    for name in (wanted,) if wanted else ("rg", "grep", "python"):
        engine = _found(name)
        if engine is not None:
            return engine
    return None


def _found(name):  # type: ignore[no-untyped-def]
    if name == "python":
        return Engine("python", version="%d.%d" % tuple(__import__("sys").version_info[:2]))
    program = shutil.which(name)
    if not program:
        return None
    try:
        said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, env=environment()).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    first = said.decode("ascii", "replace").split("\n")[0]
    version = _VERSION.search(first)
    if not version or (name == "grep" and "GNU" not in first):
        return None
    return Engine(name, program, version.group(0), int(version.group(1)))


def environment():  # type: ignore[no-untyped-def]
    """The environment in which programs read bytes, not characters, and no settings of a user."""
    kept = {name: value for name, value in os.environ.items() if name not in ("GREP_OPTIONS", "GREP_COLORS", "RIPGREP_CONFIG_PATH")}
    return dict(kept, LC_ALL="C")


class Piece:
    """A part of a file to search."""

    __slots__ = ("fd", "key", "start", "stop", "whole")

    def __init__(self, key, fd, start, stop, whole):  # type: ignore[no-untyped-def]
        self.key: int = key
        """The number of the file, given back with each match."""
        self.fd: int = fd
        self.start: int = start
        self.stop: int = stop
        self.whole: bool = whole
        """Whether it is all of the file, so that a program may open it by itself."""


class Search:
    """One search over pieces of files: yields places, keeps what went wrong."""

    def __init__(self, engine, ids, most, deadline):  # type: ignore[no-untyped-def]
        self.engine: Engine = engine
        self.ids: list[str] = list(ids)
        self.most: int = most
        """Matching lines of one file, after which the rest of it is left out."""
        self.deadline: float = deadline
        """By `time.monotonic`."""
        self.complaints: list[str] = []
        self.late = False

    def places(self, pieces):  # type: ignore[no-untyped-def]
        """``(key, offset)`` of the matches; one line may give several, in any order of files."""
        if self.engine.name == "python":
            yield from self._by_hand(pieces)
            return
        for batch in self.engine.batches(self.ids):
            whole = [piece for piece in pieces if piece.whole]
            parts = [piece for piece in pieces if not piece.whole]
            for some in _groups(whole, 500):
                yield from self._opened(batch, some)
            if parts:
                yield from self._piped(batch, parts)

    def within(self, data):  # type: ignore[no-untyped-def]
        """Offsets of the matches in `data`."""
        found: list[int] = []
        for pattern in _patterns(self.ids):
            found += pattern(data)
        return sorted(found)

    def _opened(self, batch, pieces):  # type: ignore[no-untyped-def]
        """Let the program read whole files; ``/dev/fd`` opens what we hold open, wherever it was moved since."""
        by_path = {b"/dev/fd/%d" % piece.fd: piece for piece in pieces}
        paths = sorted(by_path, key=lambda path: by_path[path].key)
        for path, offset in self._run(batch, paths, None, [piece.fd for piece in pieces]):
            piece = by_path.get(path)
            if piece is not None and offset < piece.stop:
                yield piece.key, offset

    def _piped(self, batch, pieces):  # type: ignore[no-untyped-def]
        """Feed parts of files to one program, one after the other."""
        feed = Feed(pieces, self.deadline)
        for _, offset in self._run(batch, [], feed, []):
            placed = feed.place(offset)
            if placed is not None:
                yield placed

    def _run(self, batch, paths, feed, fds):  # type: ignore[no-untyped-def]
        most = self.most if paths else self.most * 1000
        command = self.engine.command(batch, most, bool(paths)) + [os.fsdecode(path) for path in paths]
        process = subprocess.Popen(
            command + ([] if paths else ["-"]),
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            pass_fds=fds,
        )
        watch = threading.Timer(max(0.0, self.deadline - time.monotonic()), self._stop, [process])
        watch.daemon = True
        watch.start()
        said: list[bytes] = []
        listener = threading.Thread(target=lambda: said.append(process.stderr.read(65536)), daemon=True)  # type: ignore[union-attr]
        listener.start()
        if feed:
            feed.begin(process.stdin)
        try:
            for line in process.stdout:  # type: ignore[union-attr]
                yield _place(line, bool(paths))
        finally:
            watch.cancel()
            process.stdout.close()  # type: ignore[union-attr]
            process.poll() is None and not self.late and process.wait()
            process.kill()
            process.wait()
            listener.join(5)
            process.stderr.close()  # type: ignore[union-attr]
            self._note(b"".join(said), process.returncode)

    def _stop(self, process):  # type: ignore[no-untyped-def]
        self.late = True
        process.kill()

    def _note(self, said, code):  # type: ignore[no-untyped-def]
        text = said.decode("utf-8", "replace").strip()
        if code not in (0, 1) and not self.late and code != -13:
            self.complaints.append("%s ended with %d: %s" % (self.engine, code, text[:500]))

    def _by_hand(self, pieces):  # type: ignore[no-untyped-def]
        longest = max((len(name.encode()) for name in self.ids), default=1)
        for piece in pieces:
            place, kept = piece.start, b""
            while place < piece.stop and not self.late:
                data = os.pread(piece.fd, min(CHUNK, piece.stop - place), place)
                if not data:
                    break
                for offset in self.within(kept + data):
                    yield piece.key, place - len(kept) + offset
                place += len(data)
                kept = (kept + data)[-(longest - 1) :] if longest > 1 else b""
                self.late = time.monotonic() > self.deadline


class Feed:
    """Parts of files, written into a pipe one after the other; knows which byte of the stream came from where."""

    def __init__(self, pieces, deadline):  # type: ignore[no-untyped-def]
        self.pieces = pieces
        self.deadline = deadline
        self._starts: list[int] = []
        self._placed: list[Piece] = []

    def begin(self, stream):  # type: ignore[no-untyped-def]
        """Write it all, in a thread of its own."""
        threading.Thread(target=self._write, args=(stream,), daemon=True).start()

    def place(self, offset):  # type: ignore[no-untyped-def]
        """``(key, offset in the file)`` of a byte of the stream."""
        import bisect

        at = bisect.bisect_right(self._starts, offset) - 1
        if at < 0:
            return None
        piece = self._placed[at]
        return piece.key, piece.start + offset - self._starts[at]

    def _write(self, stream):  # type: ignore[no-untyped-def]
        written = 0
        try:
            for piece in self.pieces:
                self._placed.append(piece)
                self._starts.append(written)
                written += self._send(piece, stream.fileno())
                os.write(stream.fileno(), b"\n")
                written += 1
        except (BrokenPipeError, ValueError):
            pass
        finally:
            try:
                stream.close()
            except OSError:
                pass

    def _send(self, piece, out):  # type: ignore[no-untyped-def]
        sent, left = 0, piece.stop - piece.start
        while left > 0 and time.monotonic() < self.deadline:
            done = os.sendfile(out, piece.fd, piece.start + sent, min(left, CHUNK))
            if not done:
                break
            sent, left = sent + done, left - done
        return sent


def _groups(items, size):  # type: ignore[no-untyped-def]
    return [items[at : at + size] for at in range(0, len(items), size)]


def _place(line, named):  # type: ignore[no-untyped-def]
    path, _, rest = line.partition(b"\0") if named else (b"", b"", line)
    digits = rest.partition(b":")[0]
    return path, int(digits) if digits.isdigit() else 0


def _patterns(ids):  # type: ignore[no-untyped-def]
    """Functions from bytes to the offsets of matches: plain finding for few ids, one expression for many."""
    encoded = [name.encode("utf-8", "surrogateescape") for name in ids]
    if len(encoded) <= FEW:
        return [_finder(needle) for needle in encoded]
    expression = re.compile(b"(?=" + _tree(sorted(set(encoded))) + b")")
    return [lambda data: [found.start() for found in expression.finditer(data)]]


FEW = 12


def _finder(needle):  # type: ignore[no-untyped-def]
    def find(data):  # type: ignore[no-untyped-def]
        found = []
        at = data.find(needle)
        while at >= 0:
            found.append(at)
            at = data.find(needle, at + 1)
        return found

    return find


def _tree(needles):  # type: ignore[no-untyped-def]
    common = os.path.commonprefix(needles)
    return re.escape(common) + b"(?:" + b"|".join(re.escape(needle[len(common) :]) for needle in needles) + b")"
