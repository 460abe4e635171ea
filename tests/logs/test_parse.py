"""Every known form of a log line is parsed, and no line is lost."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook.logs import LogEvent, to_frame
from stackbook.logs.parse import parse_file, parse_text
from stackbook.logs.raised import causes

SAMPLES = Path(__file__).parent / "samples"
SERVER = "7f6a1c00-8e1e-4c42-a0a7-0b6a7d1f4c11"


def sample(name: str) -> list[LogEvent]:
    return parse_file(SAMPLES / name, newest=datetime(2026, 11, 24, tzinfo=UTC).timestamp())


def brief(event: LogEvent) -> tuple[str, int | None, str, str | None, str | None]:
    return event.level, event.pid, event.logger, event.request_id and event.request_id[4:8], event.exception


EXPECTED = {
    "diablo.log": [
        ("DEBUG", None, "nova.rpc", None, None),
        ("ERROR", None, "nova.compute.manager", None, "ImageNotFound"),
        ("INFO", None, "nova.compute.manager", None, None),
    ],
    "essex.log": [
        ("DEBUG", None, "nova.utils", "bb3a", None),
        ("ERROR", None, "nova.compute.manager", "bb3a", "libvirtError"),
        ("AUDIT", None, "nova.compute.resource_tracker", None, None),
    ],
    "grizzly.log": [
        ("INFO", 2134, "nova.osapi_compute.wsgi.server", "5d2b", None),
        ("ERROR", 2134, "nova.compute.manager", "5d2b", "NovaException"),
        ("WARNING", 2134, "nova.virt.disk.vfs.guestfs", None, None),
    ],
    "mitaka.log": [
        ("WARNING", 25746, "nova.scheduler.utils", "3810", None),
        ("WARNING", 25746, "nova.scheduler.utils", "3810", None),
        ("ERROR", 25746, "oslo_messaging.rpc.server", None, "DBConnectionError"),
    ],
    "loghub.log": [
        ("INFO", 25746, "nova.osapi_compute.wsgi.server", "3810", None),
        ("INFO", 2931, "nova.compute.manager", "3ea4", None),
        ("WARNING", 2931, "nova.virt.libvirt.imagecache", "addc", None),
    ],
    "uwsgi.log": [
        ("INFO", None, "uwsgi", None, None),
        ("INFO", 2485, "cinder.rpc", "04ce", None),
        ("INFO", 2531, "uwsgi", None, None),
        ("ERROR", 2537, "uwsgi", None, None),
    ],
    "kubernetes.log": [("ERROR", 7, "nova.compute.manager", "1d3c", "oslo_messaging.exceptions.MessagingTimeout")],
    "docker.log": [("ERROR", 7, "glance.api", "2d3c", "glance_store.exceptions.StorageFull")],
    "kolla-keystone-apache.log": [
        ("WARNING", 24, "keystone.common.wsgi", "4d3c", "keystone.exception.Unauthorized"),
        ("", None, "", None, None),
    ],
    "httpd-placement.log": [
        ("INFO", 1234, "placement.requestlog", "0d9d", None),
        ("INFO", 1200, "httpd", None, None),
        ("ERROR", 1234, "httpd", None, None),
    ],
    "syslog.log": [
        ("INFO", 24675, "nova.compute.manager", None, None),
        ("ERROR", 24675, "nova.compute.manager", "5e3c", None),
        ("WARNING", 31773, "neutron.agent", "6e3c", None),
        ("", None, "libvirtd", None, None),
    ],
    "json.log": [
        ("ERROR", 31773, "neutron.plugins.ml2.managers", "7e3c", "neutron_lib.exceptions.PortNotFound"),
        ("WARNING", 31773, "neutron", None, None),
        ("", None, "", None, None),
    ],
    "journal.json": [
        ("ERROR", 24675, "nova.compute.manager", "5e3c", "nova.exception.BuildAbortException"),
        ("WARNING", 7, "nova.x", None, None),
        ("INFO", 8, "nova.api", "9e3c", None),
    ],
    "neighbours.log": [
        ("ERROR", None, "", None, None),
        ("ERROR", None, "", None, None),
        ("ERROR", None, "", None, None),
        ("WARNING", None, "", None, None),
        ("ERROR", 0, "InnoDB:", None, None),
        ("", None, "", None, None),
    ],
    "colours.log": [("", None, "", None, None), ("ERROR", 24675, "nova.compute.manager", "5e3c", None)],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_form_gives_its_fields(name: str) -> None:
    """Level, process, logger, request id and exception come out of every form since 2011 and of everything around it."""
    assert [brief(event) for event in sample(name)] == EXPECTED[name]


@pytest.mark.parametrize(
    "name", sorted({path.name for path in SAMPLES.glob("*.log")} - {"docker.log", "json.log", "colours.log"})
)
def test_no_line_of_a_sample_is_lost(name: str) -> None:
    """The last word of each line of each sample is in a record, prefixes of empty lines apart."""
    text = "\n".join(f"{event.message}\n{event.traceback}" for event in sample(name))
    for line in (SAMPLES / name).read_text().splitlines():
        last = line.split(" ")[-1]
        assert last in text or last in ("TRACE:", ""), line


def test_a_record_of_today_is_whole() -> None:
    """Both request ids, instance, message, and the chained traceback with blank lines, though another worker wrote between."""
    found = next(event for event in sample("today.log") if event.level == "ERROR")
    assert found.time == datetime(2026, 11, 23, 14, 21, 57, 228000, UTC)
    assert found.request_ids == ("req-00480697-4b74-4498-bb94-ba7342fd94f7", "req-e047e5fc-b218-416c-95c7-6f3f809cb750")
    assert found.instance == SERVER
    assert found.message.startswith("Instance failed to spawn: nova.exception.PortBindingFailed")
    assert found.traceback.startswith("Traceback (most recent call last):\n  File")
    assert causes(found.traceback)[0] == "_queue.Empty"
    assert causes(found.traceback)[1].startswith("nova.exception.PortBindingFailed: Binding failed")
    assert "None" not in {event.request_id for event in sample("today.log")}


def test_what_a_message_forges_is_flagged() -> None:
    """Lines in a message that look like records, from the past, the future or another process, are flagged; true ones are not."""
    flagged = {event.message.split("\n")[0]: event.flags for event in sample("forged.log")}
    forged = {message for message, flags in flagged.items() if "forged" in flags}
    assert forged == {"forged in the past", "forged by a process that is not there", "forged in the future"}
    assert flagged["a worker that was late"] == ("out-of-order",)
    assert not [event for event in sample("today.log") if event.flags]


def test_times_without_a_zone_are_the_hosts() -> None:
    """Local times become UTC; the hour that a clock change repeats is told apart by order and flagged."""
    line = b"2026-10-25 %s 7 INFO nova [-] x\n"
    content = b"".join(
        line % moment for moment in (b"01:59:00.000", b"02:30:00.000", b"02:59:59.000", b"02:10:00.000", b"03:00:00.000")
    )
    found = parse_text(content, zone=ZoneInfo("Europe/Berlin"))
    told = [event.time.strftime("%d %H:%M:%S") for event in found if event.time]
    assert told == ["24 23:59:00", "25 00:30:00", "25 00:59:59", "25 01:10:00", "25 02:00:00"]
    assert [event.flags for event in found] == [(), *[("ambiguous-time",)] * 3, ()]


def test_a_table_of_events_has_their_fields() -> None:
    """A DataFrame of events has a column for each field and times in UTC."""
    frame = to_frame(sample("today.log"))
    assert list(frame.columns[:4]) == ["time", "host", "service", "level"]
    assert str(frame["time"].dtype).endswith("UTC]")
    assert len(to_frame([])) == 0


@given(st.binary(max_size=2000))
def test_any_bytes_are_parsed(content: bytes) -> None:
    """Nothing that a file may hold makes the parser fail, and each of its lines is in one record."""
    found = parse_text(content)
    assert [event.offset for event in found] == sorted({event.offset for event in found})
    assert bool(found) == bool(content)


WORDS = st.sampled_from(
    [
        *(b"2026-11-23 14:20:53.481 7 ERROR nova.x", b"[req-e047e5fc-b218-416c-95c7-6f3f809cb750 u p]", b"[instance: ", b"[-]"),
        *(b" ", b"\n", b"Traceback (most recent call last):", b"{", b'"asctime": "2026', b"\x1b[01;31m", b"\0", b"\xff"),
        *(b"0000-13-77 99:99:99.9 1 INFO x", b"2026-11-23T14:20:53Z stdout P ", b"<30>Feb 31 ", b"[Mon Foo 31 14:20:53 2026] "),
        *(b"ValueError: x", b"((((", b"9999-12-31 23:59:59"),
    ]
)


@given(st.lists(WORDS, max_size=60).map(b"".join))
def test_torn_and_mixed_lines_are_parsed(content: bytes) -> None:
    """Pieces of all forms in any order give records, each with valid fields."""
    for event in parse_text(content, newest=1.8e9):
        assert event.time is None or event.time.tzinfo is UTC
        assert event.level in ("", "DEBUG", "INFO", "AUDIT", "WARNING", "ERROR", "CRITICAL")


RELEASES = (
    "nova-api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO nova.wsgi [req-{id} u p - - -] {word}",
    "2011-11-23 14:20:53,481 DEBUG nova.rpc [-] {word}",
    "2012-11-23 14:20:53 DEBUG nova.utils [req-{id} admin admin] {word}",
    "2013-04-23 14:20:53.481 2134 INFO nova.virt [req-{id} u p] {word}",
    "2013-04-23 14:20:53.481 2134 TRACE nova.virt {word}",
    "2016-11-23 14:20:53.481 2134 WARNING nova.x [req-{id} u p - - -] [instance: {id}] {word}",
    "2026-11-23 14:20:53.481 7 ERROR nova.x [None req-{id} u p - - default default] {word}",
    "2026-11-23 14:20:53.481 7 ERROR nova.x [req-{id} req-{id} u p - - default default] {word}",
    "2026-11-23 14:20:53.481 7 ERROR nova.x {word}",
    "2026-11-23T14:20:53.481Z stdout F 2026-11-23 14:20:53.481 7 INFO nova.x [-] {word}",
    "Nov 23 14:20:53 compute1 nova-compute[7]: 2026-11-23 14:20:53.481 7 INFO nova.x [-] {word}",
    "[Mon Nov 23 14:20:53.481000 2026] [wsgi:error] [pid 24:tid 1] 2026-11-23 14:20:53.481 24 INFO keystone [-] {word}",
    "  a further line of a message {word}",
)


@given(st.lists(st.sampled_from(RELEASES), min_size=1, max_size=60))
def test_no_line_of_any_release_is_lost(forms: list[str]) -> None:
    """Lines of all releases in any order: each is in one record, once, and in its order."""
    words = [f"word{number:03d}" for number in range(len(forms))]
    lines = [form.format(id=SERVER, word=word) for form, word in zip(forms, words, strict=True)]
    found = parse_text("\n".join(lines).encode() + b"\n", newest=1.8e9)
    told = sorted(re.findall(r"word\d{3}", "\n".join(f"{event.message}\n{event.traceback}" for event in found)))
    assert told == words


def test_a_line_of_ten_megabytes_is_cut() -> None:
    """A line of 10 MB is cut to 64 KiB before any pattern sees it, and what follows it is found."""
    content = (
        b"2026-11-23 14:20:53.481 7 INFO nova [-] " + b"(a" * 5_000_000 + b"\n2026-11-23 14:20:54.000 7 INFO nova [-] next\n"
    )
    long, following = parse_text(content)
    assert long.flags == ("cut",)
    assert len(long.message) < 65536
    assert following.message == "next"


@pytest.mark.parametrize(
    ("context", "ids", "user"),
    [
        ("[req-a req-b 50e0 99c3 - - default default]", ("req-a", "req-b"), "50e0"),
        ("[None req-b 50e0 99c3 - - - -]", (None, "req-b"), "50e0"),
        ("[req-b admin demo - - -]", (None, "req-b"), "admin"),
        ("[None req-b - - - - - -]", (None, "req-b"), None),
        ("[req-b None None]", (None, "req-b"), None),
        ("[req-b]", (None, "req-b"), None),
        ("[None None - - - - - -]", (None, None), None),
        ("[-]", (None, None), None),
    ],
)
def test_whose_request_it_is(context: str, ids: tuple[str | None, str | None], user: str | None) -> None:
    """Ids and user of a context, of old and new releases; a service's own work names no user."""
    (found,) = parse_text(f"2026-11-23 14:20:53.481 7 INFO nova.api {context} x\n".encode())
    assert ((found.global_request_id, found.request_id), found.user, found.message) == (ids, user, "x")
