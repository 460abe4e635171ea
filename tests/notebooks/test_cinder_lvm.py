"""The runbook cinder-lvm beyond its walk: what it refuses, and what it says of Packstack's file."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stackbook import apply, plan, plan_undo, storage, verify
from stackbook.errors import BadInput, Refused
from stackbook.resources.inventory import collect
from stackbook.site import Site

from .conftest import Command

HOST, GROUP, BACKEND = "controller1", "cinder-volumes", "lvm"
AWAITS, REFUSED = 2, 3


def wanted(site: Site, *disks: str, erase: tuple[str, ...] = ()) -> list[object]:
    """What the runbook wants."""
    return list(storage.cinder_on_lvm(site, HOST, disks, group=GROUP, backend=BACKEND, erase=erase))


def test_packstacks_file_is_recognized(site: Site) -> None:
    """One row, with the way off it; no other disk is taken for a file."""
    (row,) = storage.loop_files(site, HOST, GROUP)
    assert row["found"] == "Packstack's file for a proof of concept: /var/lib/cinder/cinder-volumes, 20 GiB"
    for step in ("disks=/dev/loop0,DISK", "pvmove /dev/loop0", "openstack-losetup", "losetup --detach /dev/loop0"):
        assert step in row["hint"]
    assert storage.loop_files(site, HOST, "another-group") == []


def test_a_disk_with_data_stops_the_run(stackbook: Command) -> None:
    """Bad input, told with what lives there and the serial to name; the disk is as it was."""
    code, record = stackbook("run", "cinder-lvm", "-p", "disks=/dev/sdc")
    assert (code, record["status"]) == (REFUSED, "failed")
    assert "something lives on the disk" in record["error"]["what"]
    assert "old-instances" in str(record["error"]["found"])
    assert "CONTROLLER1-SDC" in record["error"]["hint"]


def test_consent_by_serial(stackbook: Command, new_site: Callable[[], Site], sandbox: Path) -> None:
    """A wrong serial is refused; the right one still needs the digest and the consent to what can't be undone; undo empties."""
    disk = sandbox / "hosts" / HOST / "dev" / "sdd"
    with disk.open("wb") as stream:
        stream.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(disk)], check=True)
    words = ["run", "cinder-lvm", "-p", "disks=/dev/sdd", "-p"]
    try:
        code, record = stackbook(*words, "erase=/dev/sdd=CONTROLLER1-SDC")
        assert (code, "'CONTROLLER1-SDD', not 'CONTROLLER1-SDC'" in record["error"]["hint"]) == (REFUSED, True)
        words.append("erase=/dev/sdd=CONTROLLER1-SDD")
        code, planned = stackbook(*words)
        assert [change["action"] for change in planned["changes"] if not change["reversible"]] == ["replace"]
        code, record = stackbook(*words, "--approve", planned["digest"])
        assert (code, record["error"]["type"], record["done"]) == (AWAITS, "Unsafe", 0)
        code, applied = stackbook(*words, "--approve", planned["digest"], "--allow-delete")
        assert (code, applied["status"]) == (0, "applied"), applied["error"]
        code, undone = stackbook("undo", applied["run"], "--yes")
        assert (code, undone["status"]) == (0, "undone"), undone["error"]
        assert storage.disks(new_site(), HOST).set_index("device").lives_there["/dev/sdd"] == "nothing"
    finally:
        disk.unlink()


def test_consent_that_names_no_disk(site: Site) -> None:
    """Refused before anything is planned."""
    for consent in ("/dev/sdz=1", "/dev/sdb", "/dev/sdb="):
        with pytest.raises(BadInput, match="expected DISK=SERIAL"):
            wanted(site, "/dev/sdb", erase=(consent,))


def test_another_disk_of_the_host_is_seen_to_change(new_site: Callable[[], Site], sandbox: Path) -> None:
    """The last proof is a row when a disk changed that nobody named."""
    site = new_site()
    before = storage.disks(site, HOST)
    assert storage.other_disks(before, site, HOST, ["/dev/sdb"], GROUP) == []
    file = sandbox / "hosts" / HOST / "dev" / "sdd"
    file.write_bytes(bytes(1 << 20))
    try:
        (row,) = storage.other_disks(before, site, HOST, ["/dev/sdb"], GROUP)
        assert (row["device"], row["before"]) == ("/dev/sdd", "")
    finally:
        file.unlink()


def test_the_pool_follows_the_group(new_site: Callable[[], Site]) -> None:
    """Before, the pool has another size than the group, which is a row; afterwards the group's; after the undo as before."""
    before = capacity(new_site())
    site = new_site()
    planned = plan(wanted(site, "/dev/sdb"), site)
    apply(planned, site, planned.digest)
    try:
        assert verify(planned, site) == []
        assert storage.pool_reported(site, HOST, BACKEND, GROUP) == []
        assert capacity(site) == pytest.approx(200, abs=0.1)
        assert storage.loop_files(site, HOST, GROUP) == []
    finally:
        undoing = new_site()
        apply(plan_undo(site.run, undoing), undoing, "yes")
    assert capacity(new_site()) == before


def test_a_pool_that_nobody_reports(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that says what is missing, after some patience."""
    monkeypatch.setattr(storage, "REPORTED_S", 0.5)
    (row,) = storage.pool_reported(site, HOST, "another-backend", GROUP)
    assert "no pool" in row["found"]


def test_a_host_without_cinder(site: Site) -> None:
    """Refused by the first option of a file that is not there."""
    with pytest.raises(Refused, match="compute1"):
        plan(storage.cinder_on_lvm(site, "compute1", ["/dev/sdb"], group=GROUP, backend=BACKEND), site)


def capacity(site: Site) -> float:
    """What the scheduler believes of the only pool."""
    (pool,) = collect(site, ["pools"])["pools"]
    return float(pool["total_capacity_gb"])
