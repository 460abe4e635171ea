"""Programs that find fixed strings, and what to tell them: ripgrep, GNU grep, else Python itself.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.

Measured on logs of a day (see docs/benchmarks.md), as multiples of what egrep takes for one id: ripgrep finds 1 id in 0.4,
20 in 1.1, and from 13 on loses its fast path above 5 ids; grep -F finds 1 in 1.0 but 20 in 21, grep -E in 10, and grep -P in
2.7, however many they are, when it is told that all of them are UUIDs: two dashes at fixed distances are quickly found.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
TAIL = 8
"""Where the rest of a UUID begins, with a dash: where a text is full of UUIDs, ripgrep has fewer places to look at twice."""
UUID_BEGINS = "(?=[0-9a-f]{8}-[0-9a-f]{4}-)"
RG_ONE_PASS, OLD_RG_ONE_PASS = 40, 5
"""Ids in one pass of ripgrep 14 and later, and of older ones."""
RG_PASSES = 4
"""Passes of ripgrep that take longer than one of grep -P."""
GREP_SINGLE_PASSES = 9
"""Ids for each of which grep -F takes a pass, where it has no -P: above, one pass of grep -E is faster."""
_VERSION = re.compile(r"(\d+)(?:\.\d+)*")


class Engine:
    """A program that finds fixed strings."""

    def __init__(self, name: str, program: str = "", version: str = "") -> None:
        self.name = name
        """``rg``, ``grep``, ``grep -P`` or ``python``."""
        self.program = program
        self.version = version

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def limit(self) -> int:
        """Strings that one pass finds fast."""
        if self.name != "rg":
            return sys.maxsize
        return RG_ONE_PASS if self.finds_tails else OLD_RG_ONE_PASS

    @property
    def finds_tails(self) -> bool:
        """Whether it is quicker to look for UUIDs from their first dash on: ripgrep 14 and later; older ones lose by it."""
        return self.name == "rg" and int(self.version.split(".")[0]) >= 14


def engines(wanted: str = "", strings: int = sys.maxsize) -> list[Engine]:
    """The engines of this host for so many strings, the best first; `wanted` (``rg``, ``grep``, ``python``) leaves only that."""
    found: list[Engine] = []
    for name in (wanted,) if wanted else ("rg", "grep", "python"):
        engine = _engine(name)
        found += [engine] if engine else []
        if engine and strings <= engine.limit * RG_PASSES:
            break
    return found


def passes(available: Sequence[Engine], strings: Sequence[str]) -> list[tuple[Engine, list[str]]]:
    """The commands, each with its engine, that together find all `strings`; they print the places of matches."""
    best = available[0]
    regular = next((engine for engine in available if engine.name == "grep -P"), None)
    groups = [list(strings[at : at + best.limit]) for at in range(0, len(strings), best.limit)]
    if best.name == "rg" and regular and len(groups) > RG_PASSES:
        best, groups = regular, [list(strings)]
    if best.name == "rg":
        short = TAIL if tails(best, strings) else 0
        return [(best, [*_RG, *_each([text[short:] for text in group])]) for group in groups]
    if best.name == "grep" and len(strings) <= GREP_SINGLE_PASSES:
        return [(best, [*_GREP, "-F", "-e", string]) for string in strings]
    if best.name == "grep":
        quoted = [re.sub(r"([][\\.^$*+?{}()|])", r"\\\1", string) for string in strings]
        return [(best, [*_GREP, "-E", "-e", "|".join(quoted)])]
    if len(strings) == 1:
        return [(best, [*_GREP, "-F", "-e", strings[0]])]
    return [(best, [*_GREP, "-P", "-e", expression]) for expression in _expressions(strings)]


def tails(engine: Engine, strings: Sequence[str]) -> dict[bytes, set[bytes]]:
    """What is looked for in the place of `strings`, and which beginnings make it one of them; empty: `strings` themselves."""
    found: dict[bytes, set[bytes]] = {}
    if engine.finds_tails and all(UUID.match(string) for string in strings):
        for string in strings:
            found.setdefault(string[TAIL:].encode(), set()).add(string[:TAIL].encode())
    return found


_RG = ["--no-config", "-a", "-F", "-o", "-b", "-N", "--no-heading", "--color=never", "--encoding=none", "--null"]
_GREP = ["-a", "-o", "-b", "--null"]


def normal(strings: Iterable[str]) -> list[str]:
    """The strings to look for: request ids without their ``req-``, because UUIDs alone are found faster."""
    bare = (string[4:] if string.startswith("req-") and UUID.match(string[4:]) else string for string in strings)
    return list(dict.fromkeys(bare))


def environment() -> dict[str, str]:
    """The environment in which programs read bytes, not characters, and no user's settings."""
    without = ("GREP_OPTIONS", "GREP_COLORS", "RIPGREP_CONFIG_PATH")
    return dict({name: value for name, value in os.environ.items() if name not in without}, LC_ALL="C")


def which(name: str, path: str = "") -> str:
    """Where the program `name` is; empty when it is nowhere."""
    for folder in (path or os.environ.get("PATH", os.defpath)).split(os.pathsep):
        place = os.path.join(folder, name)
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    return ""


def _engine(name: str) -> Engine | None:
    if name == "python":
        return Engine("python", version=f"{sys.version_info[0]}.{sys.version_info[1]}")
    program = which(name)
    said = _output([program, "--version"]) if program else ""
    version = _VERSION.search(said)
    if not version or (name == "grep" and "GNU" not in said):
        return None
    return Engine("grep -P" if name == "grep" and _knows_expressions(program) else name, program, version.group(0))


def _knows_expressions(program: str) -> bool:
    """Whether this grep was built with Perl's expressions, and stands bytes that are no text."""
    return _output([program, "-aobP", "-e", UUID_BEGINS + "(?:0|1)"], b"\xff\0\n10000000-0000-").startswith("3:")


def _output(command: list[str], text: bytes = b"") -> str:
    """The first line that a command says; empty when it fails."""
    try:
        done = subprocess.run(
            command, input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, env=environment(), check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("ascii", "replace").split("\n")[0] if done.returncode == 0 else ""


def _each(strings: Sequence[str]) -> list[str]:
    return [part for string in strings for part in ("-e", string)]


def _expressions(strings: Sequence[str]) -> list[str]:
    """One regular expression for all UUIDs, one for all other strings."""
    uuids = sorted({string for string in strings if UUID.match(string)})
    others = [string for string in strings if not UUID.match(string)]
    found = [UUID_BEGINS + tree(uuids)] if uuids else []
    return [*found, "|".join("\\Q" + string.replace("\\E", "\\E\\\\E\\Q") + "\\E" for string in others)] if others else found


def tree(words: Sequence[str]) -> str:
    """An expression for `words` (sorted, plain characters) that looks at no character of them twice."""
    common = os.path.commonprefix(list(words))  # noqa: RUF071 - by characters is what is wanted
    if len(words) == 1 or len(common) == min(map(len, words)):
        return common
    branches: dict[str, list[str]] = {}
    for word in words:
        branches.setdefault(word[len(common)], []).append(word[len(common) :])
    return common + "(?:" + "|".join(tree(branch) for branch in branches.values()) + ")"
