"""Physical volumes and volume groups, on real loop devices: nothing that lives on a disk is lost without consent."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from stackbook import Absent, apply, plan, plan_undo, verify
from stackbook.errors import BadInput, ChangedSince, Refused, Unsafe
from stackbook.journal import open_run
from stackbook.plans import Resource
from stackbook.resources import PhysicalVolume, VolumeGroup
from stackbook.resources.block_devices import block_device, block_devices

from .lvm_bench import HOST, MIB, Bench, opened, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root")
GROUP = "cinder-volumes"
MBR = bytes(446) + bytes([0, 0, 2, 0, 0x83, 0, 32, 0, 0, 8, 0, 0, 0, 64, 0, 0]) + bytes(48) + b"\x55\xaa"
"""A partition table with one partition of 8 MiB."""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A place for disks."""
    assert shutil.which("pvs"), "lvm2 is not installed: run `make system`"
    yield from opened(tmp_path, monkeypatch.setenv)


def wanted(*devices: str, erase: str | None = None) -> list[Resource]:
    """The group on these disks."""
    volumes = [PhysicalVolume(host=HOST, device=device, group=GROUP, erase_serial=erase) for device in devices]
    return [*volumes, VolumeGroup(host=HOST, name=GROUP, devices=devices)]


def applied(bench: Bench, desired: Sequence[Resource | Absent]) -> str:
    """Plan, apply and prove; the run's folder."""
    site = bench.site()
    planned = plan(desired, site)
    apply(planned, site, planned.digest, allow_delete=bool(planned.plan.irreversible))
    assert verify(planned, site) == []
    return str(site.run.folder)


def undone(bench: Bench, run_folder: str) -> None:
    """Take a run back."""
    site = bench.site()
    apply(plan_undo(open_run(Path(run_folder)), site), site, "yes")


def test_an_empty_disk_becomes_a_group_and_is_empty_again(bench: Bench) -> None:
    """Planned as two creations that can be undone; a second plan is empty; after the undo nothing is on the disk."""
    disk = bench.disk()
    assert block_device(bench.host, disk).row["lives_there"] == "nothing"
    planned = plan(wanted(disk), bench.site()).plan
    assert [(change.action, change.reversible) for change in planned] == [("create", True)] * 2
    made = applied(bench, wanted(disk))
    assert bench.groups() == {GROUP: [disk]}
    assert not plan(wanted(disk), bench.site()).plan.changes
    assert GROUP in block_device(bench.host, disk).row["lives_there"]
    undone(bench, made)
    assert bench.groups() == {}
    assert block_device(bench.host, disk).holds == ()


def occupy(kind: str, bench: Bench, disk: str) -> None:
    """Let something live on the disk."""
    match kind:
        case "ext4":
            run("mkfs.ext4", "-q", "-L", "precious", disk)
        case "dos":
            Path(disk).write_bytes(MBR)
        case "swap":
            run("mkswap", "-L", "precious", disk)
        case "linux_raid_member":
            write_md_superblock(disk)
        case "LVM2_member":
            run("vgcreate", "precious", disk)
            run("lvcreate", "-y", "-an", "-Zn", "-L", "8M", "-n", "one", "precious")


def write_md_superblock(disk: str) -> None:
    """Make the disk a member of a RAID 1 (metadata 1.0, which lies at the end), as mdadm would without starting it."""
    import struct

    size = os.path.getsize(disk) if os.path.isfile(disk) else int(run("blockdev", "--getsize64", disk))
    sectors = size // 512
    place = (sectors & ~(4 * 2 - 1)) - 8 * 2
    head = struct.pack("<IIII16s32sQIIQIIIi", 0xA92B4EFC, 1, 0, 0, b"u" * 16, b"lab:0", 0, 1, 0, sectors - 16, 0, 2, 0, 0)
    head += bytes(128 - len(head))
    tail = struct.pack("<QQQQIi16sBBBBQQQIiI", 0, sectors - 16, place, 0, 0, 0, b"d" * 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    raw = bytearray((head + tail).ljust(256, b"\0"))
    total = sum(struct.unpack("<64I", bytes(raw)))
    struct.pack_into("<I", raw, 216, ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF)
    with open(disk, "r+b") as stream:
        stream.seek(place * 512)
        stream.write(raw)


KINDS = ("ext4", "dos", "swap", "linux_raid_member", "LVM2_member")


@pytest.mark.parametrize("kind", KINDS)
def test_what_lives_on_a_disk_is_not_lost(bench: Bench, kind: str) -> None:
    """Refused with what was found and the serial to name; a wrong serial is refused too; the disk is as it was."""
    disk = bench.disk()
    occupy(kind, bench, disk)
    before = Path(disk).read_bytes()
    serial = block_device(bench.host, disk).serial
    for erase in (None, "WD-000000"):
        with pytest.raises(Refused, match="something lives on the disk") as refused:
            plan(wanted(disk, erase=erase), bench.site())
        assert kind in str(refused.value.found)
        assert serial in str(refused.value.hint)
    assert Path(disk).read_bytes() == before


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"dos"}))
def test_consent_by_serial(bench: Bench, kind: str) -> None:
    """The disk named by its serial is erased, which the plan marks as not to be undone and which needs a consent of its own."""
    disk = bench.disk()
    occupy(kind, bench, disk)
    serial = block_device(bench.host, disk).serial
    assert serial
    site = bench.site()
    planned = plan(wanted(disk, erase=serial), site)
    assert [(change.action, change.reversible) for change in planned.plan] == [("replace", False), ("create", True)]
    assert kind in str(planned.plan.changes[0].before)
    assert planned.plan.changes[0].after["erase_serial"] == serial
    with pytest.raises(Unsafe, match="can't be undone"):
        apply(planned, site, planned.digest)
    made = applied(bench, wanted(disk, erase=serial))
    assert bench.groups() == {GROUP: [disk]}
    undone(bench, made)
    assert block_device(bench.host, disk).holds == ()


def test_a_disk_without_a_serial_can_not_be_named(bench: Bench) -> None:
    """A partition table without an id on a disk without a serial: there is nothing by which to agree."""
    disk = bench.disk()
    occupy("dos", bench, disk)
    with pytest.raises(Refused) as refused:
        plan(wanted(disk, erase=""), bench.site())
    assert "no serial" in str(refused.value.hint)


def test_a_mounted_disk_is_refused_even_by_its_serial(bench: Bench, tmp_path: Path) -> None:
    """Consent is for what lies there, not for what runs on it."""
    disk = bench.disk()
    occupy("ext4", bench, disk)
    place = tmp_path / "mount"
    place.mkdir()
    run("mount", disk, str(place))
    try:
        serial = block_device(bench.host, disk).serial
        with pytest.raises(Refused, match="in use") as refused:
            plan(wanted(disk, erase=serial), bench.site())
        assert f"mounted at {place}" in str(refused.value.found)
    finally:
        run("umount", str(place))


def test_a_disk_that_someone_has_open_is_refused(bench: Bench) -> None:
    """Whoever holds an empty disk for himself (a virtual machine, multipath) is found although no table shows it."""
    disk = bench.disk()
    descriptor = os.open(disk, os.O_RDWR | os.O_EXCL)
    try:
        with pytest.raises(Refused, match="in use") as refused:
            plan(wanted(disk), bench.site())
        assert "busy" in str(refused.value.found)
    finally:
        os.close(descriptor)


def test_a_disk_of_a_group_with_others_is_refused(bench: Bench) -> None:
    """Such a disk is taken out of its group first, whatever was agreed to."""
    one, two = bench.disk(), bench.disk()
    run("vgcreate", "old", one, two)
    serial = block_device(bench.host, one).serial
    with pytest.raises(Refused, match="volume group old, which has other disks"):
        plan(wanted(one, erase=serial), bench.site())
    with pytest.raises(Refused, match=f"{one} can't be used: it belongs to volume group old"):
        plan([VolumeGroup(host=HOST, name=GROUP, devices=(one,))], bench.site())
    assert bench.groups() == {"old": sorted([one, two])}


def test_a_disk_that_is_not_there(bench: Bench) -> None:
    """Named with those that there are."""
    disk = bench.disk()
    with pytest.raises(Refused, match="has no block device /dev/sdzz") as refused:
        plan(wanted("/dev/sdzz"), bench.site())
    assert disk in str(refused.value)


def test_a_group_without_a_disk() -> None:
    """Refused where it is written."""
    with pytest.raises(BadInput, match="at least one disk"):
        VolumeGroup(host=HOST, name=GROUP, devices=())


def test_from_one_disk_to_another_and_back(bench: Bench) -> None:
    """The way off Packstack's loop file: the real disk comes in, the other goes out; the undo is the way back."""
    old, new = bench.disk(), bench.disk(160 * MIB)
    applied(bench, wanted(old))
    made = applied(bench, wanted(new))
    assert bench.groups() == {GROUP: [new], "": [old]}
    undone(bench, made)
    assert bench.groups() == {GROUP: [old]}
    assert block_device(bench.host, new).holds == ()


def test_a_disk_with_volumes_is_not_taken_out(bench: Bench) -> None:
    """Refused with the way to go: keep both, pvmove, then take it out."""
    old, new = bench.disk(), bench.disk()
    applied(bench, wanted(old))
    run("lvcreate", "-y", "-an", "-Zn", "-L", "32M", "-n", "volume-1", GROUP)
    with pytest.raises(Refused, match=rf"volumes lie on {old}, 0\.0 GiB") as refused:
        plan(wanted(new), bench.site())
    assert f"pvmove {old}" in str(refused.value.hint)
    applied(bench, wanted(old, new))
    assert bench.groups() == {GROUP: sorted([old, new])}


def test_an_undo_that_would_take_out_a_disk_with_volumes(bench: Bench) -> None:
    """Refused while it is planned, before anything of the run is taken back."""
    old, new = bench.disk(), bench.disk()
    applied(bench, wanted(old))
    made = applied(bench, wanted(new))
    run("lvcreate", "-y", "-an", "-Zn", "-L", "32M", "-n", "volume-1", GROUP)
    with pytest.raises(Refused, match=f"volumes lie on {new}"):
        plan_undo(open_run(Path(made)), bench.site())
    assert bench.groups() == {GROUP: [new], "": [old]}


def test_a_group_with_volumes_is_not_removed(bench: Bench) -> None:
    """Neither by Absent nor by an undo; the volume is there afterwards."""
    disk = bench.disk()
    made = applied(bench, wanted(disk))
    run("lvcreate", "-y", "-an", "-Zn", "-L", "32M", "-n", "volume-1", GROUP)
    with pytest.raises(Refused, match="holds 1 logical volume"):
        plan_undo(open_run(Path(made)), bench.site())
    site = bench.site()
    planned = plan([Absent(VolumeGroup(host=HOST, name=GROUP, devices=(disk,)))], site)
    with pytest.raises(Refused, match="holds 1 logical volume"):
        apply(planned, site, planned.digest, allow_delete=True)
    assert "volume-1" in run("lvs", "-o", "lv_name", GROUP)


@pytest.mark.parametrize("step", ["pvcreate", "vgcreate", "wipefs"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_and_resumed(bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str, *, after: bool) -> None:
    """Cut off before or after any command that changes something, the run goes on under the approval it had."""
    disk = bench.disk()
    occupy("ext4", bench, disk)
    site = bench.site()
    desired = wanted(disk, erase=block_device(bench.host, disk).serial)
    planned = plan(desired, site)
    with monkeypatch.context() as cut:
        cut.setattr("stackbook.hosts.Host.run", killing(step, after=after))
        with pytest.raises(KeyboardInterrupt):
            apply(planned, site, planned.digest, allow_delete=True)
    rest = plan(desired, site)
    apply(rest, site, allow_delete=True)
    assert bench.groups() == {GROUP: [disk]}
    undone(bench, str(site.run.folder))
    assert block_device(bench.host, disk).holds == ()


def killing(step: str, *, after: bool) -> object:
    """A Host.run that dies at the command that changes something."""
    from stackbook.hosts import Host

    original = Host.run

    def cut_off(host: Host, argv: Sequence[str], **options: object) -> object:
        if argv[0] != step or "--json" in argv or "--no-act" in argv:
            return original(host, argv, **options)  # type: ignore[arg-type]
        if after:
            original(host, argv, **options)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    return cut_off


def test_another_group_since(bench: Bench) -> None:
    """A group that someone removed and made again is not undone: it is another one."""
    disk = bench.disk()
    made = applied(bench, wanted(disk))
    run("vgremove", GROUP)
    run("vgcreate", GROUP, disk)
    with pytest.raises(ChangedSince, match="another one now"):
        undone(bench, made)


def test_every_device_is_listed(bench: Bench, tmp_path: Path) -> None:
    """Each with its size, file behind it and what lives there; partitions and mounts are told for the whole disk."""
    empty, full = bench.disk(), bench.disk()
    occupy("ext4", bench, full)
    found = {device.path: device for device in block_devices(bench.host)}
    assert found[empty].row["lives_there"] == "nothing"
    assert found[empty].backing.endswith("/disk0")
    assert found[empty].size == 96 * MIB
    assert found[full].row["lives_there"].startswith("ext4 'precious' ")
    assert subprocess.run(["e2fsck", "-fn", full], capture_output=True, check=False).returncode == 0
