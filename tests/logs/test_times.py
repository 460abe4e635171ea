"""Bounds of time: what lies within them is found, what lies without is not read."""

from __future__ import annotations

import os
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.errors import BadInput
from stackbook.logs import ambient, merge, number_lines, search, seek
from stackbook.logs.lines import Times
from tests.logs.trees import LOG, REQUEST, host, put

BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)


def day(seed: int, lines: int) -> list[tuple[datetime, bytes]]:
    """Lines of some hours, a few of them out of order by up to 4 s, some without a time, some with a false one."""
    source = random.Random(seed)
    moment, found = BEGIN, []
    for _ in range(lines):
        moment += timedelta(seconds=source.choice([0, 0.1, 1, 30]))
        written = moment - timedelta(seconds=source.choice([0, 0, 0, 4]))
        stamp = f"{written:%Y-%m-%d %H:%M:%S}.{written.microsecond // 1000:03d}"
        text = f"{stamp} 7 INFO nova [{REQUEST}] {'x' * source.randrange(300)}\n"
        if source.random() < 0.2:
            text += "a line without a time\n"
        elif source.random() < 0.02:
            text += "2031-01-01 00:00:00.000 7 INFO nova [-] a false time\n"
        found.append((written.replace(microsecond=written.microsecond // 1000 * 1000), text.encode()))
    return found


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), first=st.floats(-0.1, 1.1), last=st.floats(-0.1, 1.1))
def test_seeking_leaves_nothing_out(seed: int, first: float, last: float) -> None:
    """Every line within the bounds is in the part of the file that is read, and what is read is about that much."""
    lines = day(seed, 1500)
    length = (lines[-1][0] - BEGIN).total_seconds()
    since, until = (BEGIN.timestamp() + part * length for part in sorted((first, last)))
    with tempfile.TemporaryFile() as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(seek, "GRAIN", 4096)
        patch.setattr(seek, "_PROBE", 2048)
        stream.write(b"".join(text for _, text in lines))
        stream.flush()
        size = stream.tell()
        start, stop = seek.span(stream.fileno(), size, since, until, Times(UTC))
        place, needed = 0, 0
        for moment, text in lines:
            if since <= moment.timestamp() <= until:
                assert start <= place < stop
                needed += len(text)
            place += len(text)
        assert stop - start < needed + 60_000


def test_a_search_with_bounds_reads_only_those(tmp_path: Path) -> None:
    """The same records as without bounds, less those outside; older files are not opened; the rest of a file is not read."""
    lines = day(1, 20_000)
    place = put(tmp_path, b"".join(text for _, text in lines))
    old = put(tmp_path, b"".join(text for _, text in lines), LOG + ".1.gz")
    os.utime(place, (lines[-1][0].timestamp(),) * 2)
    os.utime(old, (BEGIN.timestamp(), BEGIN.timestamp()))
    since, until = lines[15_000][0], lines[15_300][0]
    found = search([host(tmp_path)], [REQUEST], since=since, until=until)
    assert sorted(event.time for event in found.events if event.time) == sorted(
        moment for moment, _ in lines if since <= moment <= until
    )
    stats = found.stats.hosts["compute1"]
    assert (stats.files, stats.pruned) == (1, 1)
    assert stats.bytes < place.stat().st_size / 5


def test_ambient_gives_levels_and_patterns(tmp_path: Path) -> None:
    """WARNING and ERROR of the time asked for with their tracebacks, INFO lines that match a pattern, and nothing else."""
    stamp = "2026-11-23 12:00:%02d.000 7"
    lines = [
        f"{stamp % 0} ERROR nova [-] too early",
        f"{stamp % 10} INFO nova.filters [-] Filter ComputeFilter returned 0 hosts",
        f"{stamp % 11} INFO nova [-] the WARNING in a message is none",
        f"{stamp % 12} WARNING nova [-] a warning",
        f"{stamp % 13} ERROR nova [-] an error",
        f"{stamp % 13} ERROR nova Traceback (most recent call last):",
        f"{stamp % 13} ERROR nova KeyError: 1",
        '{"message": "in JSON", "asctime": "2026-11-23 12:00:14", "name": "x", "levelname": "ERROR", "context": {}}',
    ]
    put(tmp_path, "\n".join(lines).encode() + b"\n")
    found = ambient([host(tmp_path)], BEGIN + timedelta(seconds=5), None, patterns=[r"Filter (?P<filter>\w+) returned 0 hosts"])
    assert [(event.level, event.message) for event in found.events] == [
        ("INFO", "Filter ComputeFilter returned 0 hosts"), ("WARNING", "a warning"), ("ERROR", "an error"), ("ERROR", "in JSON")
    ]  # fmt: skip
    assert found.events[2].exception == "KeyError"


def test_lines_are_numbered_when_asked(tmp_path: Path) -> None:
    """The number of an event's first line, as an editor counts."""
    content = b"".join(text for _, text in day(2, 3000))
    put(tmp_path, content)
    put(tmp_path, content, LOG + ".1.gz")
    found = search([host(tmp_path)], [REQUEST]).events[3000:3020]
    numbered = number_lines([host(tmp_path)], found)
    assert [event.line for event in numbered] == [content[: event.offset].count(b"\n") + 1 for event in found]
    assert {event.file for event in numbered} == {f"/{LOG}", f"/{LOG}.1.gz"}
    assert numbered[0].place == f"compute1:{numbered[0].file}:{numbered[0].line}"


def test_bad_questions_are_refused(tmp_path: Path) -> None:
    """Times without a zone, texts that are in every line and a text instead of a list are refused with the next step."""
    for ids, more in (([REQUEST], {"since": datetime(2026, 1, 1)}), (["ab"], {}), (["a\nbcd"], {}), (REQUEST, {})):
        with pytest.raises(BadInput, match=r"(?s)Try|can't"):
            search([host(tmp_path)], ids, **more)  # type: ignore[arg-type]
    assert search([host(tmp_path)], []).events == []


def test_a_host_whose_clock_is_behind(tmp_path: Path) -> None:
    """Its lines of the time asked for are found, though they name another; the clock is told, and set right."""
    behind = timedelta(hours=3)
    asked = datetime.now(UTC) - timedelta(minutes=10)
    stamps = [asked + minutes * timedelta(minutes=1) - behind for minutes in (-30, 5)]
    put(tmp_path, b"".join(f"{stamp:%Y-%m-%d %H:%M:%S}.000 7 INFO nova [{REQUEST}] x\n".encode() for stamp in stamps))
    (tmp_path / "usr/bin").mkdir(parents=True)
    date = tmp_path / "usr/bin/date"
    date.write_text('#!/bin/sh\nexec /bin/date -d "3 hours ago" "$@"\n')
    date.chmod(0o755)
    found = search([host(tmp_path)], [REQUEST], since=asked)
    clock = found.stats.clocks["compute1"]
    assert clock.skewed
    assert abs(clock.offset + behind.total_seconds()) < 10
    (event,) = merge(found.events, found.stats.clocks)
    assert event.time is not None
    assert abs((event.time - asked).total_seconds() - 300) < 10
