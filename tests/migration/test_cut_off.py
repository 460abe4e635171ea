"""Moves that are cut off: killed at any step, interrupted, broken on the wire, with a token that ends; nothing is left over."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stackbook import apply, plan, ticker, verify
from stackbook.errors import BadInput
from stackbook.journal import open_run
from stackbook.migration import passage
from stackbook.moves import fit, landed
from stackbook.resources import disk_upload, volume
from stackbook.site import Site

from . import bundles
from .bundles import MIB
from .conftest import orphans
from .test_moving import NewSite, killed, planned_disk, requests, undo

pytestmark = pytest.mark.usefixtures("networks")
LATE = ("/flavors", "/ports", "/servers")


def test_killed_at_each_step(new_site: NewSite, cloud: Any, tmp_path: Path) -> None:
    """A kill -9 after each request that writes, before some, too: run again, all is there once; undone, nothing is left."""
    before = orphans(cloud)
    count = len(steps(new_site(), tmp_path))
    assert count >= 5
    for kill in [1, 3, *(-number for number in range(1, count + 1))]:
        site = new_site()
        planned = planned_disk(tmp_path, site)
        assert killed(partial(apply, planned, site, approve="yes"), kill), kill
        resumed = Site(site.settings, open_run(site.run.folder))
        left = planned_disk(tmp_path, resumed)
        apply(left, resumed)  # approved before
        assert verify(left, resumed) == []
        assert len(orphans(cloud)["volumes"]) == len(before["volumes"]) + 1
        assert orphans(cloud)["images"] == before["images"], kill
        undo(site.run, new_site())
        assert orphans(cloud) == before, kill


def test_undone_at_each_step(new_site: NewSite, cloud: Any, tmp_path: Path) -> None:
    """A kill -9 after each request that writes, and the run taken back as it stands: nothing is left."""
    before = orphans(cloud)
    for number in range(1, len(steps(new_site(), tmp_path)) + 1):
        site = new_site()
        planned = planned_disk(tmp_path, site)
        assert killed(partial(apply, planned, site, approve="yes"), -number), number
        undo(site.run, new_site())
        assert orphans(cloud) == before, number


@pytest.mark.parametrize("then", ["resumed", "undone"])
def test_killed_at_port_and_server(then: str, new_site: NewSite, cloud: Any, tmp_path: Path) -> None:
    """The same for the steps beside the disks: flavor, port and server are there once, or not at all."""
    made = bundles.ova(tmp_path, "whole", (3 * MIB,))
    wanted = {"networks": "app", "ips": "192.0.2.60", "options": "flavor=new"}
    before, site = orphans(cloud), new_site()
    with requests() as written:
        apply(plan(fit(made.path, site, **wanted).desired, site), site, approve="yes")
    undo(site.run, new_site())
    late = [number for number, (_, url) in enumerate(written, 1) if url.rstrip("/").endswith(LATE)]
    assert len(late) == len(LATE)
    for kill in [-number for number in late] + ([late[-1]] if then == "resumed" else []):
        site = new_site()
        planned = plan(fit(made.path, site, **wanted).desired, site)
        assert killed(partial(apply, planned, site, approve="yes"), kill), kill
        if then == "resumed":
            resumed = Site(site.settings, open_run(site.run.folder))
            move = fit(made.path, resumed, **wanted)
            assert move.stops == []
            left = plan(move.desired, resumed)
            apply(left, resumed)
            assert verify(left, resumed) == []
            assert landed(move, resumed) == []
            assert orphans(cloud)["servers"] == sorted([*before["servers"], "whole"])
            assert orphans(cloud)["ports"] == sorted([*before["ports"], "whole-nic0"])
        undo(site.run, new_site())
        assert orphans(cloud) == before, kill
        assert cloud.compute.find_flavor("moved-1c-512m") is None


@pytest.mark.parametrize("kill", [-5, 7, -8])
def test_killed_while_the_next_is_sent(kill: int, new_site: NewSite, cloud: Any, tmp_path: Path) -> None:
    """The next disk is sent while cinder copies this one: begun in the journal first, taken up by resume, and by undo."""
    before, site, sizes = orphans(cloud), new_site(), (6 * MIB, 5 * MIB)
    planned = planned_disk(tmp_path, site, sizes)
    assert killed(partial(apply, planned, site, approve="yes"), kill)
    begun = [event for event in site.run.events() if event["event"] == "started"]
    assert [bool(event.get("ahead")) for event in begun][:2] == [False, True]
    if kill != 7:
        resumed = Site(site.settings, open_run(site.run.folder))
        left = planned_disk(tmp_path, resumed, sizes)
        apply(left, resumed)
        assert verify(left, resumed) == []
        assert len(orphans(cloud)["volumes"]) == len(before["volumes"]) + 2
    undo(site.run, new_site())
    assert orphans(cloud) == before


def steps(site: Site, folder: Path) -> list[tuple[str, str]]:
    """The requests that write when one disk is moved; taken back again."""
    planned = planned_disk(folder, site)
    with requests() as found:
        apply(planned, site, approve="yes")
    undo(site.run, site)
    return found


@pytest.mark.parametrize("how", ["interrupt", "failure"])
def test_ended_while_the_next_is_sent(
    how: str, new_site: NewSite, cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, or a failure, while the next disk is being sent: its image goes with it; undone, nothing is left."""
    before, site = orphans(cloud), new_site()
    planned = planned_disk(tmp_path, site, (6 * MIB, 5 * MIB))
    original = passage.Chunked.__iter__

    def slow(self: Any) -> Iterator[bytes]:
        for block in original(self):
            if threading.current_thread() is not threading.main_thread():
                time.sleep(3)
            yield block

    def ended(*_: Any) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and "stackbook-small-disk1" not in orphans(cloud)["images"]:
            time.sleep(0.1)
        assert "stackbook-small-disk1" in orphans(cloud)["images"]
        if how == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        raise BadInput("something that no second try cures")

    with monkeypatch.context() as patched:
        patched.setattr(passage.Chunked, "__iter__", slow)
        patched.setattr(volume, "wait", ended)
        with pytest.raises(KeyboardInterrupt if how == "interrupt" else BadInput):
            apply(planned, site, approve="yes")
    assert "stackbook-small-disk1" not in orphans(cloud)["images"]
    undo(site.run, new_site())
    assert orphans(cloud) == before


def test_broken_upload_starts_that_disk_again(
    new_site: NewSite, cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that breaks amid the second disk's upload: that disk is sent again, from its start, and no other."""
    before, site = orphans(cloud), new_site()
    planned = planned_disk(tmp_path, site, (6 * MIB, 5 * MIB))
    original, sent = passage.Chunked.__iter__, list[int]()

    def breaking(self: Any) -> Iterator[bytes]:
        sent.append(len(self))
        for number, block in enumerate(original(self)):
            yield block
            if number == 0 and len(sent) == 2:
                raise ConnectionResetError("the wire was cut")

    monkeypatch.setattr(passage.Chunked, "__iter__", breaking)
    apply(planned, site, approve="yes")
    assert len(sent) == 3
    assert sent[1] == sent[2] != sent[0]
    assert verify(planned, site) == []
    undo(site.run, new_site())
    assert orphans(cloud) == before


def test_token_is_renewed(new_site: NewSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that would end during the upload is replaced before it begins; one that was revoked since, too."""
    site = new_site()
    planned = planned_disk(tmp_path, site)
    tokens = []
    original = disk_upload._renew

    def renewed(conn: Any) -> None:
        tokens.append(conn.session.get_token())
        original(conn)
        tokens.append(conn.session.get_token())

    monkeypatch.setattr(disk_upload, "LEAST_LIFE", 10**9)
    monkeypatch.setattr(disk_upload, "_renew", renewed)
    apply(planned, site, approve="yes")
    assert tokens[0] != tokens[1]
    undo(site.run, new_site())


def test_progress(new_site: NewSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """How far it is can be told after each block: while checking, sending, reading again and comparing."""
    source = bundles.raw(tmp_path / "told.raw", 20 * MIB, pieces=60, most=300_000)
    bundles.vmdk(source, tmp_path / "told-disk.vmdk", "monolithicFlat")
    ovf, files = bundles.describe("told", [str(tmp_path / "told-disk.vmdk")], sizes=[20 * MIB]), ("told-disk", "told-disk-flat")
    (tmp_path / "told.mf").write_bytes(
        bundles.manifest({"told.ovf": ovf, **{f"{name}.vmdk": str(tmp_path / f"{name}.vmdk") for name in files}})
    )
    (tmp_path / "told.ovf").write_bytes(ovf)
    site = new_site()
    planned = plan(fit(str(tmp_path / "told.ovf"), site, networks="app", ips="any").desired[:1], site)
    with monkeypatch.context() as patched:
        patched.setattr(ticker, "EVERY", 0.0)
        apply(planned, site, approve="yes")
    told = capsys.readouterr().out
    undo(site.run, new_site())
    parts = re.findall(r"(read |compared |)(\d+) % \d+ s …", told)
    shares = {word: [int(share) for of, share in parts if of == word] for word in ("", "read ", "compared ")}
    assert all(shares[word] == sorted(shares[word]) and len(set(shares[word])) > 9 for word in ("read ", "compared ")), told
    assert sum(later < earlier for earlier, later in pairwise(shares[""])) == 2, told  # two files are checked, one is sent
