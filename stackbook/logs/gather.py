"""Search the logs of hosts: every record that holds one of some ids, or what else happened at the time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from stackbook.errors import BadInput, StackbookError
from stackbook.hosts import Host, LocalHost
from stackbook.logs.event import Clock, Found, HostStats, Limits, LogEvent, Skipped, Stats, in_order
from stackbook.logs.literals import literals
from stackbook.logs.parse import blank_event, entry_event, event
from stackbook.logs.program import program, program_here
from stackbook.logs.structured import moment_of

Hosts = Iterable[Host] | Mapping[str, Host]
Progress = Callable[[str], None]
SHORTEST = 4
"""Characters; a shorter text is in almost every line."""
AT_ONCE = 16
"""Hosts searched at the same time."""
LAUNCH = """
for python in "$1" python3 /usr/libexec/platform-python python3.12 python3.11 python3.9 python3.8 python3.6; do
  command -v "$python" >/dev/null 2>&1 && break
done
calm=
[ "$2" = calm ] && command -v nice >/dev/null && calm="nice -n 19"
[ "$2" = calm ] && command -v ionice >/dev/null && ionice -c 3 true 2>/dev/null && calm="$calm ionice -c 3"
root=
[ "$2" = calm ] && [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null && root="sudo -n"
exec $root $calm "$python" -I -S - "$(date +%s.%N)"
"""
"""Finds a Python, steps aside for the services of a host in use, reads logs as root where sudo asks for no password, and
says what the host takes for the time."""


def search(
    hosts: Hosts,
    ids: Sequence[str],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limits: Limits | None = None,
    engine: str = "",
    files: Sequence[str] = (),
    progress: Progress | None = None,
) -> Found:
    """Every record on `hosts` that holds one of `ids`, whole: with its traceback, in order of time.

    Args:
        hosts: Searched at the same time; one that can't be is a row of ``skipped``.
        ids: Fixed texts, such as UUIDs and request ids, of at least 4 characters.
        since: Earliest time; older files are not opened, and in others the place is sought, not read up to.
        until: Latest time.
        limits: How much each host may read and answer; what is left out for them is a row of ``skipped``.
        engine: ``rg``, ``grep`` or ``python`` instead of the best that a host has.
        files: Further files to search, as paths on the hosts.
        progress: Called with a line of text when a host has answered.
    """
    wanted = _ids(ids)
    if not wanted:
        return Found([], [])
    request = {"ids": wanted, "engine": engine, "files": list(files)}
    return _ask(hosts, request, since, until, limits or Limits(), progress)


def ambient(
    hosts: Hosts,
    since: datetime | None,
    until: datetime | None,
    levels: Sequence[str] = ("WARNING", "ERROR", "CRITICAL"),
    patterns: Sequence[str] = (),
    noise: Sequence[str] = (),
    *,
    limits: Limits | None = None,
    engine: str = "",
    progress: Progress | None = None,
) -> Found:
    """Records of `levels` on `hosts` between two times, and those of any level that match one of `patterns`.

    Args:
        hosts: Those involved.
        since: Earliest time.
        until: Latest time.
        levels: Of `stackbook.logs.event.LEVELS`.
        patterns: Regular expressions, searched in a record's first line and the last lines of its traceback.
        noise: Regular expressions, of records that are left out when their first line matches one.
        limits: How much each host may read and answer.
        engine: ``rg``, ``grep`` or ``python`` instead of the best that a host has.
        progress: Called with a line of text when a host has answered.
    """
    request = {"levels": list(levels), "patterns": list(patterns), "literals": literals(patterns), "engine": engine}
    request["noise"] = list(noise)
    return _ask(hosts, request, since, until, limits or Limits(), progress)


def number_lines(hosts: Hosts, events: Sequence[LogEvent]) -> list[LogEvent]:
    """The events with their line numbers: what stands before them in their files is counted, so ask for a few only."""
    by_host = {host.name: host for host in _listed(hosts)}
    numbered: dict[tuple[str, str, int], int] = {}
    for name in {found.host for found in events} & set(by_host):
        places: dict[str, list[int]] = {}
        for found in sorted((found for found in events if found.host == name), key=lambda found: found.offset):
            places.setdefault(found.file, []).append(found.offset)
        answer, _ = _answers(by_host[name], {"count": places}, Limits())
        numbered.update(((name, line["f"], line["o"]), line["n"]) for line in answer if line["k"] == "line")
    places_of = [(found, numbered.get((found.host, found.file, found.offset))) for found in events]
    return [found if line is None else found.with_line(line) for found, line in places_of]


def _ask(
    hosts: Hosts,
    request: dict[str, Any],
    since: datetime | None,
    until: datetime | None,
    limits: Limits,
    progress: Progress | None,
) -> Found:
    begun = time.monotonic()
    request = {**request, "since": _seconds(since), "until": _seconds(until)}
    listed = _listed(hosts)

    def one(host: Host) -> Found:
        found = _one(host, request, limits)
        if progress:
            progress(f"{host.name}: {len(found.events)} records{', some skipped' if found.skipped else ''}")
        return found

    with ThreadPoolExecutor(max(1, min(AT_ONCE, len(listed)))) as pool:
        answers = list(pool.map(one, listed))
    events = in_order(event for answer in answers for event in answer.events)
    skipped = [row for answer in answers for row in answer.skipped]
    by_host = {name: found for answer in answers for name, found in answer.stats.hosts.items()}
    return Found(events, skipped, Stats(time.monotonic() - begun, by_host))


def _one(host: Host, request: dict[str, Any], limits: Limits) -> Found:
    """What one host answers."""
    begun, wall = time.monotonic(), time.time()
    try:
        answer, failure = _answers(host, request, limits)
    except StackbookError as error:
        return Found([], [Skipped(host.name, "", error.what, error.hint or "check that it can be reached: stackbook doctor")])
    ended = time.time()
    events: dict[tuple[str, int], LogEvent] = {}
    skipped = [Skipped(host.name, line["what"], line["why"], line["hint"]) for line in answer if line["k"] == "skip"]
    for line in answer:
        if line["k"] in ("r", "journal"):
            found = _event(host.name, line)
            while line["k"] == "journal" and (found.file, found.offset) in events:
                found = replace(found, offset=found.offset + 1)  # another entry of the same microsecond
            before = events.get((found.file, found.offset))
            events[found.file, found.offset] = _united(before, found) if before else found
    last = answer[-1] if answer and answer[-1]["k"] == "end" else None
    if failure or last is None:
        reason = failure or "its answer ended too early"
        skipped.append(Skipped(host.name, "", reason, "Python 3.6 or newer and a shell are needed on the host"))
    stats = {host.name: _stats(answer[0], last, wall, ended, time.monotonic() - begun)} if last else {}
    return Found(list(events.values()), skipped, Stats(0.0, stats))


def _answers(host: Host, request: dict[str, Any], limits: Limits) -> tuple[list[dict[str, Any]], str]:
    """The lines of a host's answer, and what went wrong."""
    root, here = str(host.root), isinstance(host, LocalHost)
    asked = {**request, "root": root, "limits": asdict(limits), "asked": time.time()}
    text = program_here(asked) if here else program(asked)
    python = sys.executable if here else "python3"
    mood = "calm" if root == "/" else "own"
    done = host.run(["sh", "-c", LAUNCH, "stackbook", python, mood], check=False, timeout=limits.seconds + 60, text=text)
    lines = [json.loads(line) for line in done.out.splitlines() if line.startswith("{") and line.endswith("}")]
    said = done.err.strip().splitlines()
    return lines, f"the search failed there: {said[-1][:300] if said else f'exit code {done.code}'}" if done.code else ""


def _stats(begin: dict[str, Any], end: dict[str, Any], asked: float, answered: float, seconds: float) -> HostStats:
    most, least = begin["now"] - asked, end["now"] - answered
    clock = Clock(round((most + least) / 2, 3), round((most - least) / 2, 3))
    return HostStats(
        end["engine"], end["files"], end["pruned"], end["bytes"], round(seconds, 3), round(end["cpu"], 3), clock, end["zone"]
    )


def _event(host: str, line: dict[str, Any]) -> LogEvent:
    if line["k"] == "journal":
        entry = line["e"]
        return entry_event(entry, blank_event(host, "journal", "", round((moment_of(entry) or 0.0) * 1e6)))
    texts = [text.encode("utf-8", "surrogateescape") for text in line["m"]]
    return event(texts, line["t"], blank_event(host, line["f"], line["s"], line["o"], line["h"], line["x"]))


def _united(one: LogEvent, other: LogEvent) -> LogEvent:
    return replace(one, hits=tuple(sorted({*one.hits, *other.hits})))


def _ids(ids: Sequence[str]) -> list[str]:
    if isinstance(ids, str):
        raise BadInput(f"ids: expected a list of texts, found the text {ids!r}", hint=f"[{ids!r}]")
    for name in ids:
        if len(name) < SHORTEST or "\n" in name or "\0" in name:
            hint = f"give a UUID, a request id, or a text of {SHORTEST} characters or more on one line"
            raise BadInput(f"{name!r} can't be searched for", hint=hint)
    return list(dict.fromkeys(ids))


def _listed(hosts: Hosts) -> list[Host]:
    return list(hosts.values()) if isinstance(hosts, Mapping) else list(hosts)


def _seconds(moment: datetime | None) -> float | None:
    if moment is not None and moment.tzinfo is None:
        raise BadInput(f"{moment} names no time zone", hint="give a time in UTC: datetime(…, tzinfo=UTC)")
    return None if moment is None else moment.timestamp()
