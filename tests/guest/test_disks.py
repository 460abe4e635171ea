"""Disks and LVM on a real host: device-mapper, thin pools, what is refused, what a kill leaves."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest

from stackbook import storage
from stackbook.engine import apply, plan, verify
from stackbook.errors import BadInput, Refused
from stackbook.hosts import Host
from stackbook.plans import Resource
from stackbook.resources import PhysicalVolume, VolumeGroup
from stackbook.site import Site
from tests.guest.conftest import NAME, undone
from tests.guest.dying import killed_at, reopened

GROUP = "cinder-volumes"


def wanted(device: str = "/dev/vdb", **more: str) -> list[Resource]:
    """A volume group on one disk."""
    return [
        PhysicalVolume(host=NAME, device=device, group=GROUP, **more),
        VolumeGroup(host=NAME, name=GROUP, devices=(device,)),
    ]


def groups(host: Host) -> dict[str, list[str]]:
    """Volume groups of the host and their disks; "" for disks of none."""
    rows = json.loads(host.run(["pvs", "--reportformat", "json", "-o", "pv_name,vg_name"]).out)["report"][0]["pv"]
    return {name: [row["pv_name"] for row in rows if row["vg_name"] == name] for name in {row["vg_name"] for row in rows}}


def test_a_group_is_made_used_and_undone(lab: Callable[[], Site], guest_host: Host) -> None:
    """Planned, applied, verified, planned again with nothing to do; a thin pool works in it; undone, the disk is empty."""
    site = lab()
    planned = plan(wanted(), site)
    assert [change.action for change in planned.plan] == ["create", "create"]
    apply(planned, site, approve=planned.digest)
    verify(planned, site)
    assert groups(guest_host) == {GROUP: ["/dev/vdb"]}
    assert not len(plan(wanted(), lab()))
    guest_host.run(["lvcreate", "-y", "-L", "256M", "-T", f"{GROUP}/pool"])
    guest_host.run(["lvcreate", "-y", "-V", "1G", "-T", f"{GROUP}/pool", "-n", "volume-1"])
    guest_host.run(["dd", "if=/dev/urandom", f"of=/dev/{GROUP}/volume-1", "bs=1M", "count=8", "oflag=direct"])
    with pytest.raises(Refused, match="holds 2 logical volume"):
        undone(site, lab())
    assert groups(guest_host) == {GROUP: ["/dev/vdb"]}
    guest_host.run(["lvremove", "-y", f"{GROUP}/pool"])
    undone(site, lab())
    assert groups(guest_host) == {}
    assert "offset" not in guest_host.run(["wipefs", "--json", "/dev/vdb"]).out


@pytest.mark.parametrize(
    ("device", "why"), [("/dev/vda", "in use"), ("/dev/vdc", "something lives on the disk"), ("/dev/vdx", "vdx")]
)
def test_what_is_refused(device: str, why: str, lab: Callable[[], Site], guest_host: Host) -> None:
    """The disk of the root file system, one that holds a file system, and one that is not there; nothing is changed."""
    before = guest_host.run(["lsblk", "-f", "--json"]).out
    with pytest.raises(Refused, match=why):
        plan(wanted(device), lab())
    assert guest_host.run(["lsblk", "-f", "--json"]).out == before


def test_a_disk_in_use_is_refused_with_consent_too(lab: Callable[[], Site], guest_host: Host) -> None:
    """A mounted disk is refused although its serial was named; unmounted, the serial decides."""
    guest_host.run(["mount", "/dev/vdc", "/mnt"])
    with pytest.raises(Refused, match="in use"):
        plan(wanted("/dev/vdc", erase_serial="USED01"), lab())
    guest_host.run(["umount", "/mnt"])
    with pytest.raises(Refused) as caught:
        plan(wanted("/dev/vdc", erase_serial="OTHER"), lab())
    assert "USED01" in str(caught.value.hint)
    planned = plan(wanted("/dev/vdc", erase_serial="USED01"), lab())
    assert not all(change.reversible for change in planned.plan)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("command", ["pvcreate", "vgcreate"])
def test_killed_in_the_middle(command: str, moment: str, lab: Callable[[], Site], guest_host: Host) -> None:
    """Kill -9 around each step, then the same again: one group, nothing twice; undone from both runs, nothing is left."""
    site = lab()
    planned = plan(wanted("/dev/vdd"), site)
    assert killed_at(command, moment, lambda: apply(planned, reopened(site), approve=planned.digest))
    again = lab()
    rest = plan(wanted("/dev/vdd"), again)
    apply(rest, again, approve=rest.digest)
    verify(rest, again)
    assert groups(guest_host) == {GROUP: ["/dev/vdd"]}
    for run in (again, site):
        with contextlib.suppress(BadInput):  # that run changed nothing
            undone(run, lab())
    assert groups(guest_host) == {}


def test_off_packstacks_file_while_volumes_are_in_use(lab: Callable[[], Site], guest_host: Host) -> None:
    """A loop file with a mounted volume: told for what it is, refused in one step, moved in three; not a byte is lost."""
    file, run = storage.PACKSTACK_FILE, guest_host.run
    run(["mkdir", "-p", "/var/lib/cinder"])
    run(["truncate", "-s", "20G", file])
    loop = run(["losetup", "--find", "--show", file]).out.strip()
    run(["vgcreate", GROUP, loop])
    run(["lvcreate", "-y", "-L", "128M", "-n", "volume-1", GROUP])
    run(["mkfs.ext4", "-q", f"/dev/{GROUP}/volume-1"])
    run(["mount", f"/dev/{GROUP}/volume-1", "/mnt"])
    run(["dd", "if=/dev/urandom", "of=/mnt/data", "bs=1M", "count=32", "oflag=direct"])
    before = run(["sha256sum", "/mnt/data"]).out
    (row,) = storage.loop_files(lab(), NAME, GROUP)
    assert row["found"] == f"Packstack's file for a proof of concept: {file}, 20 GiB"
    with pytest.raises(Refused, match=f"volumes lie on {loop}"):
        plan(on("/dev/vdd"), lab())
    made(lab(), on(loop, "/dev/vdd"))
    run(["pvmove", loop], timeout=240)
    made(lab(), on("/dev/vdd"))
    assert groups(guest_host) == {GROUP: ["/dev/vdd"], "": [loop]}
    assert storage.loop_files(lab(), NAME, GROUP) == []
    run(["losetup", "--detach", loop])
    assert run(["sha256sum", "/mnt/data"]).out == before
    run(["umount", "/mnt"])
    run(["vgremove", "-y", GROUP])
    run(["pvremove", "/dev/vdd"])
    run(["rm", file])


def on(*devices: str) -> list[Resource]:
    """The group on these disks."""
    volumes = [PhysicalVolume(host=NAME, device=device, group=GROUP) for device in devices]
    return [*volumes, VolumeGroup(host=NAME, name=GROUP, devices=devices)]


def made(site: Site, desired: list[Resource]) -> None:
    """Plan, apply and prove."""
    planned = plan(desired, site)
    apply(planned, site, approve=planned.digest)
    verify(planned, site)
