"""Content on its way through a program: every match is told once, with what stands around it, and little is kept."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook.logs import flow as flows
from stackbook.logs import scan as scans
from stackbook.logs.engines import engines
from stackbook.logs.flow import Flow
from stackbook.logs.scan import Scan

IDS = ["0b7c8e52-53f4-4b5f-9a3f-3a1f6f1f5f5e", "1b7c8e52-53f4-4b5f-9a3f-3a1f6f1f5f5e", "a text of its own"]
ENGINES = ("rg", "grep", "python")
STEP, REACH, LONGEST = 3000, 500, 9000
PIECE = st.one_of(
    st.sampled_from(IDS).map(str.encode),
    st.binary(max_size=40),
    st.integers(1, 2000).map(lambda size: b"z" * size),
    st.just(b"\n"),
)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Marks, reaches and lines are small, and a program is started for the smallest content."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (flows, scans):
            patch.setattr(module, "STEP", STEP)
        patch.setattr(flows, "REACH", REACH)
        patch.setattr(flows, "LONGEST", LONGEST)
        patch.setattr(scans, "SMALL", 0)
        yield


def found(content: bytes, ids: list[str], engine: str, size: int = 700) -> list[int]:
    """Where the ids are, as chunks tell; each chunk holds what stands around its matches."""
    flow = Flow(content[at : at + size] for at in range(0, len(content), size))
    offsets: list[int] = []
    for chunk in Scan(engines(engine), ids, 1000, time.monotonic() + 60).chunks(flow):
        for offset in chunk.offsets:
            assert content[chunk.base : chunk.base + len(chunk.data)] == chunk.data
            assert chunk.base + len(chunk.data) >= min(len(content), offset + STEP)
            if len(content) < LONGEST:
                assert chunk.base <= content.rfind(b"\n", 0, offset) + 1, "its line is whole"
        offsets += chunk.offsets
    assert (flow.size, flow.error) == (len(content), "")
    return offsets


def expected(content: bytes, ids: list[str]) -> list[int]:
    """Where they are, by Python."""
    places = []
    for name in map(str.encode, ids):
        at = content.find(name)
        while at >= 0:
            places.append(at)
            at = content.find(name, at + len(name))
    return sorted(places)


@given(pieces=st.lists(PIECE, max_size=60), ids=st.sampled_from([IDS[:1], IDS[:2], IDS]))
def test_every_match_is_told_once_and_in_order(pieces: list[bytes], ids: list[str]) -> None:
    """By each engine, whatever the lines are like; those longer than the longest are parted by a mark and lose nothing."""
    content = b"".join(pieces)
    for engine in ENGINES:
        assert found(content, ids, engine) == expected(content, ids), engine


@pytest.mark.parametrize("engine", ENGINES)
def test_little_is_kept(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much flows through."""
    most, add = 0, Flow._take

    def take(self: Flow) -> bool:
        nonlocal most
        most = max(most, sum(map(len, self._kept)))
        return add(self)

    monkeypatch.setattr(Flow, "_take", take)
    line = b"2026-11-23 14:20:53.481 7 INFO nova [-] nothing\n"
    content = (line * 20_000 + IDS[0].encode() + b"\n") * 20
    assert len(found(content, IDS[:2], engine, 65536)) == 20
    assert most < 3 << 20, "a pipe holds 1 MiB"


@pytest.mark.parametrize("engine", ENGINES)
def test_content_that_breaks_off(engine: str) -> None:
    """What came before is found, and why it ended is told."""

    def broken() -> Iterator[bytes]:
        yield IDS[0].encode() + b"\n"
        raise EOFError("the file ends too early")

    flow = Flow(broken())
    chunks = list(Scan(engines(engine), IDS[:1], 1000, time.monotonic() + 60).chunks(flow))
    assert [chunk.offsets for chunk in chunks] == [[0]]
    assert flow.error == "the file ends too early"


def test_nobody_reads_on() -> None:
    """A program that is stopped amid its work is waited for, and leaves no open files."""
    before = len(os.listdir("/proc/self/fd"))
    content = (IDS[0].encode() + b"\n" + b"z" * 60 + b"\n") * 50_000
    flow = Flow(content[at : at + 5000] for at in range(0, len(content), 5000))
    chunks = Scan(engines("rg"), IDS[:1], 1000, time.monotonic() + 60).chunks(flow)
    assert next(chunks).offsets
    chunks.close()  # type: ignore[attr-defined]
    assert len(os.listdir("/proc/self/fd")) == before
