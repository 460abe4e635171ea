"""How files are taken in: mapped or read, and several compressed ones in one window of memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackbook.logs import Limits, compressed, ways
from stackbook.logs import agent as program
from stackbook.logs.running import Piece
from stackbook.logs.ways import MAPPED, READ, SAMPLE, Ways
from tests.logs.trees import LOG, REQUEST, SERVER, agent, hits, judged, put

HEAD = b"2026-11-23 14:20:53.481 7 INFO nova "
LINES = st.sampled_from(
    [
        *(HEAD + b"[%s] x\n" % name.encode() for name in (REQUEST, SERVER)),
        HEAD + b"[-] nothing " + b"y" * 150 + b"\n",
        HEAD + b"[-] \xff\0 %s\r\n" % SERVER.encode(),
        SERVER.encode()[:20],
        SERVER.encode()[20:] + b"\n",
        b"\n",
    ]
)
FILES = st.lists(st.lists(LINES, max_size=60).map(b"".join), min_size=1, max_size=8)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window of 4 KiB, samples of 1 KiB, and programs for the smallest search."""
    for name, value in (("ROOM", 4096), ("OVERLAP", 1024), ("_windows", list[compressed.Window]())):
        monkeypatch.setattr(compressed, name, value)
    monkeypatch.setattr(ways, "SAMPLE", 1024)
    monkeypatch.setattr(program, "SMALL", 0)


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(0, 3 * SAMPLE), max_size=12), strings=st.integers(1, 3), cheap=st.sampled_from([MAPPED, READ]))
def test_every_piece_is_searched_once_and_most_the_cheaper_way(sizes: list[int], strings: int, cheap: str) -> None:
    """A part is searched each way, if there is enough to tell, and the rest the way that took less time per byte."""
    pieces = [Piece(key, -1, 0, size, whole=True) for key, size in enumerate(sizes)]
    chosen, groups = Ways(strings), []
    for way, group in chosen.groups(pieces):
        groups.append((way, group))
        chosen.note(way, group, sum(piece.stop for piece in group) * (1.0 if way == cheap else 1.5))
    assert sorted(piece.key for _, group in groups for piece in group) == list(range(len(sizes)))
    assert [way for way, _ in groups[:1]] in ([], [MAPPED if strings == 1 else READ])
    if len(groups) == 3:
        assert {groups[0][0], groups[1][0]} == {MAPPED, READ}
        assert groups[2][0] == cheap
    later = list(chosen.groups([Piece(0, -1, 0, SAMPLE, whole=True)]))
    if None not in chosen.costs.values():
        assert [way for way, _ in later] == [cheap]


def test_what_costs_less_is_found_out_again() -> None:
    """A way that has become dear, because of what else runs, is left for the other."""
    chosen, piece = Ways(1), [Piece(0, -1, 0, SAMPLE, whole=True)]
    costs = iter([1.0, 2.0, 3.0, 2.0])
    used = []
    for _ in range(4):
        for way, group in chosen.groups(piece):
            used.append(way)
            chosen.note(way, group, next(costs))
    assert used == [MAPPED, READ, MAPPED, READ]


@settings(max_examples=40, deadline=None)
@given(contents=FILES, ids=st.sampled_from([[SERVER], [REQUEST, SERVER]]))
@pytest.mark.usefixtures("small")
def test_files_that_share_a_window_lose_nothing(contents: list[bytes], ids: list[str]) -> None:
    """However files lie in windows, each engine finds the lines that grep finds in each; no two files make an id together."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, content in enumerate(contents):
            put(root, content, f"var/log/nova/nova-compute.log.{number}.gz")
            put(root, content, f"var/log/nova/nova-compute.log.{number + 100}")
        expected = judged(root, ids)
        for engine in ("rg", "grep", "python"):
            answer = agent(root, ids, engine)
            assert hits(answer) == expected, engine
            assert not [line for line in answer if line["k"] == "skip"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("engine", ["rg", "grep", "python"])
def test_the_end_of_a_file_and_the_beginning_of_the_next_make_no_id(tmp_path: Path, engine: str) -> None:
    """Contents that stand side by side in a window stay apart."""
    for number, content in enumerate((HEAD + SERVER.encode()[:20], SERVER.encode()[20:] + b"\n", HEAD + SERVER.encode())):
        put(tmp_path, content, f"{LOG}.{number}.gz")
    assert hits(agent(tmp_path, [SERVER], engine)) == {(f"/{LOG}.2.gz", 0)}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("engine", ["rg", "grep", "python"])
def test_a_file_full_of_matches_hides_no_other_in_its_window(tmp_path: Path, engine: str) -> None:
    """The limit of one file's lines is not that of a window, even a full one."""
    line = HEAD + b"[%s] x\n" % REQUEST.encode()
    for number, content in enumerate((line * 40, line, HEAD * 200 + b"\n" + line)):
        put(tmp_path, content, f"{LOG}.{number}.gz")
    told = agent(tmp_path, [REQUEST], engine, limits=Limits(events_per_file=1))
    assert [(row["f"], row["o"]) for row in told if row["k"] == "r"] == [
        (f"/{LOG}.0.gz", 0), (f"/{LOG}.1.gz", 0), (f"/{LOG}.2.gz", 200 * len(HEAD) + 1)
    ]  # fmt: skip
    assert [row["what"] for row in told if row["k"] == "skip"] == [f"/{LOG}.0.gz"]
