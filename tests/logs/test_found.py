"""What a search finds: every line that grep -aF finds, whatever the files hold and whichever program looks."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.logs import Limits, ambient, search
from stackbook.logs.compressed import ROOM
from tests.logs.trees import LOG, REQUEST, SERVER, agent, hits, host, judged, put

ENGINES = ("rg", "grep", "python")
OTHERS = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(30)]
HEAD = b"2026-11-23 14:20:53.481 7 "
PIECES = st.sampled_from(
    [
        *(
            HEAD + b"INFO nova [None %s - -] [instance: %s] x\n" % (name.encode(), SERVER.encode())
            for name in (REQUEST, OTHERS[0])
        ),
        *(HEAD + b"ERROR nova.compute %s\n" % text for text in (b"Traceback (most recent call last):", SERVER.encode(), b"")),
        HEAD + b"INFO nova [-] another line\r\n",
        HEAD + b"\x1b[01;31mERROR nova\x1b[00m [%s] \xff\xfe not UTF-8 \x80\n" % REQUEST.encode(),
        HEAD + b'INFO nova [-] the name is "\n2020-01-01 00:00:00.000 666 ERROR nova [%s] forged\n' % REQUEST.encode(),
        b"\0" * 5000,
        SERVER.encode(),
        REQUEST.encode() + b"\n",
        b"  <uuid>%s</uuid>\n" % SERVER.encode(),
        b"x" * 70_000 + SERVER.encode() + b"y" * 70_000,
        b"\xff\xfe\n",
        b"\n",
    ]
)
CONTENT = st.lists(PIECES, max_size=30).map(b"".join)


@settings(max_examples=40)
@given(
    plain=CONTENT,
    rotated=CONTENT,
    packed=CONTENT,
    ids=st.sampled_from([[SERVER], [REQUEST], [REQUEST, SERVER], [SERVER, *OTHERS]]),
)
def test_each_engine_finds_what_grep_finds(plain: bytes, rotated: bytes, packed: bytes, ids: list[str]) -> None:
    """ripgrep, GNU grep and Python give the lines that grep -aF gives, in plain, rotated and compressed files."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for content, path in ((plain, LOG), (rotated, LOG + ".1"), (packed, LOG + ".2.gz")):
            put(root, content, path)
        expected = judged(root, ids)
        for engine in ENGINES:
            answer = agent(root, ids, engine)
            assert hits(answer) == expected, engine
            assert not [line for line in answer if line["k"] == "skip"]


def test_what_grep_finds_in_lines_of_ten_megabytes(tmp_path: Path) -> None:
    """Ids at the beginning, in the middle and at the end of lines of 10 MB, with NULs, colours and CRLF, plain and packed.

    A packed line longer than what is kept of a chunk may be told once more, by its second half.
    """
    ids = [REQUEST.encode(), SERVER.encode()]
    long = [part * 5_000_000 for part in (b"xy", b"\0\xff", b"\x1b[0m", b"\r ")]
    lines = [HEAD + name + part + name + part + other for part in long[:2] for name, other in (ids, ids[::-1])]
    content = b"\r\n".join([*lines, *(HEAD + part[:1_000_000] + SERVER.encode() for part in long), b""])
    put(tmp_path, content)
    put(tmp_path, content, LOG + ".1.gz")
    for engine in ENGINES:
        assert hits(agent(tmp_path, [REQUEST, SERVER], engine)) >= judged(tmp_path, [REQUEST, SERVER]), engine


def test_long_lines_and_holes_lose_nothing(tmp_path: Path) -> None:
    """A line of 10 MB with the id at its end, and lines behind a hole of a gigabyte, are found without reading the hole."""
    line = HEAD + b"INFO nova [%s] after the hole\n" % REQUEST.encode()
    put(tmp_path, HEAD + b"INFO nova [-] " + b"z" * 10_000_000 + SERVER.encode() + b"\n" + line)
    with put(tmp_path, line, "var/log/nova/nova-api.log").open("r+b") as stream:
        stream.seek(1 << 30)
        stream.write(line)
    for engine in ENGINES:
        answer = agent(tmp_path, [REQUEST, SERVER], engine)
        found = [line for line in answer if line["k"] == "r"]
        assert [(line["f"].rpartition("/")[2], line["o"] == 0) for line in found] == [
            ("nova-api.log", True), ("nova-api.log", False), ("nova-compute.log", True), ("nova-compute.log", False)
        ]  # fmt: skip
        assert found[1]["m"] == [line.decode().rstrip()]
        assert found[2]["x"] == ["cut"]
        assert answer[-1]["bytes"] < 12_000_000


@pytest.mark.parametrize("engine", ENGINES)
def test_records_in_compressed_files_are_not_torn(tmp_path: Path, engine: str) -> None:
    """A record that lies across the chunks of a compressed file is found once, with its traceback."""
    filler = HEAD + b"INFO nova [-] nothing\n"
    record = (
        HEAD + b"ERROR nova [%s] failed\n" % REQUEST.encode() + (HEAD + b"ERROR nova a line of %s\n" % REQUEST.encode()) * 300
    )
    for place in (ROOM - 9000, ROOM - 262_144 - 3000):
        before = filler * (place // len(filler))
        put(tmp_path, before + record + filler * 20_000, LOG + ".1.gz")
        (found,) = search([host(tmp_path)], [REQUEST], engine=engine).events
        assert (found.offset, len(found.hits), found.traceback.count("\n")) == (len(before), 301, 0)
        assert found.message.count("a line of") == 300


def test_what_is_left_out_is_a_row(tmp_path: Path) -> None:
    """Caps of a file, of records and of the answer, a broken archive and an unreadable file each give a row that says so."""
    line = HEAD + b"INFO nova [%s] x\n" % REQUEST.encode()
    place = put(tmp_path, line * 500)
    broken = put(tmp_path, line * 500, LOG + ".1.gz")
    broken.write_bytes(broken.read_bytes()[:-20])
    (place.parent / "nova-api.log").symlink_to("nova-api.log")
    found = search([host(tmp_path)], [REQUEST], limits=Limits(events_per_file=100))
    assert len(found.events) == 200
    told = {row.what.rpartition("/")[2]: row.reason for row in found.skipped}
    assert told["nova-compute.log"] == "only its first 100 records that match are shown"
    assert "nova-api.log" in told
    whole = search([host(tmp_path)], [REQUEST])
    assert 900 < len(whole.events) < 1000
    assert "can't be decompressed to its end" in {row.what: row.reason for row in whole.skipped}[f"/{LOG}.1.gz"]
    few = search([host(tmp_path)], [REQUEST], limits=Limits(events=50))
    assert len(few.events) == 50
    assert few.skipped[-1].reason == "only the first 50 records that match are shown"
    small = search([host(tmp_path)], [REQUEST], limits=Limits(answer_bytes=5000))
    assert small.skipped[-1].reason.startswith("the answer reached its limit")
    late = search([host(tmp_path)], [REQUEST], limits=Limits(seconds=0))
    assert "time limit" in late.skipped[-1].reason


def test_a_disk_without_room_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is a device, and a folder whose file system is full, are told: what was logged there is missing."""
    place = put(tmp_path, HEAD + b"INFO nova [%s] x\n" % REQUEST.encode())
    (place.parent / "nova-api.log").symlink_to("/dev/full")

    def fake_statvfs(path: str) -> os.statvfs_result:
        return os.statvfs_result((4096, 4096, 100, 0, 0, 100, 0, 0, 0, 255))

    monkeypatch.setattr(os, "statvfs", fake_statvfs)
    told = {line["what"]: line["why"] for line in agent(tmp_path, [REQUEST]) if line["k"] == "skip"}
    assert told["/var/log/nova/nova-api.log"].startswith("it is a device")
    assert told["/var/log/nova"].startswith("its file system is full")


def test_more_files_than_select_knows(tmp_path: Path) -> None:
    """A host with more log files than a set of select holds is searched like any other."""
    line = HEAD + b"INFO nova [%s] x\n" % REQUEST.encode()
    for number in range(1100):
        put(tmp_path, line, f"var/log/nova/nova-compute.log.{number}")
    for engine in ENGINES:
        answer = agent(tmp_path, [REQUEST], engine)
        assert len([each for each in answer if each["k"] == "r"]) == 1100, answer[-1]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ending", ["", ".1.gz"])
def test_a_file_full_of_matches_hides_no_other(tmp_path: Path, engine: str, ending: str) -> None:
    """What one file may give at most does not use up what others, searched together with it, may give."""

    def line(second: int, text: bytes) -> bytes:
        return b"2026-11-23 14:%02d:%02d.000 7 INFO nova [%s] x\n" % (*divmod(second, 60), text)

    before = b"".join(line(number // 2, b"-] " + b"y" * 200) for number in range(3600))
    loud = b"".join(line(1800 + number, REQUEST.encode()) for number in range(300))
    quiet = b"".join(line(1800 + number, b"-") for number in range(300)) + line(2400, REQUEST.encode())
    one = len(line(0, REQUEST.encode()))
    logs = {"nova-api": loud, "nova-compute": quiet, "nova-scheduler": loud}
    expected = {"nova-api": [0, one], "nova-compute": [len(quiet) - one], "nova-scheduler": [0, one]}
    for name, content in logs.items():
        put(tmp_path, before + content, f"var/log/nova/{name}.log{ending}")
    since = None if ending else datetime(2026, 11, 23, 14, 20).astimezone()
    found = search([host(tmp_path)], [REQUEST], since=since, engine=engine, limits=Limits(events_per_file=2))
    offsets = {name: [event.offset - len(before) for event in found.events if event.service == name] for name in logs}
    assert offsets == expected
    assert [row.what for row in found.skipped] == [f"/var/log/nova/{name}.log{ending}" for name in ("nova-api", "nova-scheduler")]


@pytest.mark.parametrize("engine", ["rg", "grep", "python"])
def test_noise_uses_up_no_limit(tmp_path: Path, engine: str) -> None:
    """Thousands of warnings that never tell anything do not hide the error that follows them."""
    noise = b"2026-11-23 14:20:53.481 7 WARNING oslo_messaging.rpc.client [-] Using RPCClient manually\n" * 300
    put(tmp_path, noise + b"2026-11-23 14:20:54.481 7 ERROR nova [-] the reason\n")
    limits = Limits(events_per_file=50)
    whole = ambient([host(tmp_path)], None, None, limits=limits, engine=engine)
    assert len(whole.events) == 50 and "only its first 50" in whole.skipped[0].reason
    found = ambient([host(tmp_path)], None, None, noise=["Using RPCClient"], limits=limits, engine=engine)
    assert [event.message for event in found.events] == ["the reason"]
    assert found.skipped == []
