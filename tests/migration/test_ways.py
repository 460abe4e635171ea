"""The ways of a disk into a volume: what glance and cinder take, what they refuse, and past them both."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stackbook import apply, plan, verify
from stackbook.errors import BadInput, CloudFailed
from stackbook.journal import open_run
from stackbook.migration import inspect
from stackbook.migration.passage import passage
from stackbook.moves import choices, fit
from stackbook.resources import Disk, disk_place, disk_write
from stackbook.site import Site

from . import bundles
from .bundles import MIB
from .conftest import bytes_equal, configured, orphans
from .test_moving import NewSite, killed, requests, undo

pytestmark = pytest.mark.usefixtures("networks")
INSPECT = """
import json, sys
from cinder.image import format_inspector as cinders
from oslo_utils.imageutils import format_inspector as oslos

def cinder(path):
    found = cinders.detect_file_format(path)
    return str(found) == "vmdk" and bool(found.safety_check())

def glance(path):
    found = oslos.detect_file_format(path)
    found.safety_check()
    return str(found) == "vmdk"

def taken(inspector, path):
    try:
        return inspector(path)
    except Exception as error:
        return False

print(json.dumps([[taken(cinder, path), taken(glance, path)] for path in sys.argv[1:]]))
"""


def exported(folder: Path, source: str) -> str:
    """As vSphere writes it."""
    return bundles.stream(source, folder / "d.vmdk")


def short(folder: Path, source: str) -> str:
    """As qemu-img writes one in sixteen."""
    return bundles.short_id(bundles.vmdk(source, folder / "d.vmdk"))


def french(folder: Path, source: str) -> str:
    """One that can't be put right."""
    return bundles.described_in_french(bundles.vmdk(source, folder / "d.vmdk", "monolithicSparse"))


def vhdx(folder: Path, source: str) -> str:
    """From Hyper-V."""
    return bundles.convert(source, folder / "d.vhdx", "vhdx")


def qcow2(folder: Path, source: str) -> str:
    """From KVM."""
    return bundles.convert(source, folder / "d.qcow2", "qcow2")


VMDKS, FORMATS = (exported, short, french), (exported, short, french, vhdx, qcow2)


def test_inspectors_agree(sandbox: Path, tmp_path: Path) -> None:
    """What we say of a VMDK is what glance's and cinder's own inspectors say; of what we send, they take all."""
    from stackbook.sandbox import installation
    from stackbook.sandbox.recipe import REAL

    source, paths, expected = bundles.raw(tmp_path / "s.raw", 3 * MIB), list[str](), list[bool]()
    for make in (*VMDKS, lambda folder, source: bundles.vmdk(source, folder / "d.vmdk")):
        folder = tmp_path / str(len(paths))
        folder.mkdir()
        found = make(folder, source)
        sent, disk = folder / "sent.vmdk", inspect(found).disks[0]
        sent.write_bytes(b"".join(passage(disk)))
        paths += [found, str(sent)]
        expected += [not disk.head and not disk.objection, not disk.objection]
    python = installation.python(REAL)
    told = json.loads(subprocess.run([python, "-c", INSPECT, *paths], check=True, capture_output=True, text=True).stdout)
    assert [cinder for cinder, _ in told] == expected
    assert all(glance for (cinder, glance), path in zip(told, paths, strict=True) if cinder)
    assert expected == [False, True, False, True, False, False, True, True]


@pytest.mark.parametrize("make", FORMATS)
def test_every_format_arrives(make: Any, new_site: NewSite, sandbox: Path, cloud: Any, tmp_path: Path) -> None:
    """Each format goes into a volume in one try; the plan told how."""
    source, before, site = bundles.raw(tmp_path / "s.raw", 6 * MIB), orphans(cloud), new_site()
    move, disks = moved(make(tmp_path, source), site)
    told = next(row["found"] for row in move.rows if row["about"] == "disk 0")
    assert {exported: "head put right", short: "head put right", french: "would be refused"}.get(make, "passed") in told
    with requests() as written:
        apply(plan(disks, site), site, approve="yes")
    assert sum(method == "POST" and url.endswith("/images") for method, url in written) == 1
    assert bytes_equal(sandbox, cloud.block_storage.find_volume("d-disk0").id, source, 1)
    undo(site.run, new_site())
    assert orphans(cloud) == before


def moved(path: str, site: Site, **wanted: str) -> tuple[Any, list[Disk]]:
    """Where a disk's machine fits, and its disk alone."""
    move = fit(path, site, networks="app", ips="any", macs="new", **wanted)
    return move, [wanted for wanted in move.desired if isinstance(wanted, Disk)]


@pytest.fixture
def picky(sandbox: Path) -> Iterator[None]:
    """A site whose cinder takes no streamOptimized VMDK."""
    with configured(sandbox, "cinder", "[DEFAULT]\n", "[DEFAULT]\nvmdk_allowed_types = monolithicSparse\n"):
        yield


@pytest.mark.usefixtures("picky")
def test_refused_by_the_site(new_site: NewSite, sandbox: Path, cloud: Any, tmp_path: Path) -> None:
    """A format that the site turns out not to take: the disk goes as a qcow2 stream, and nothing of the first try stays."""
    source, before, site = bundles.raw(tmp_path / "s.raw", 6 * MIB), orphans(cloud), new_site()
    _, disks = moved(exported(tmp_path, source), site)
    apply(plan(disks, site), site, approve="yes")
    assert bytes_equal(sandbox, cloud.block_storage.find_volume("d-disk0").id, source, 1)
    assert len(orphans(cloud)["volumes"]) == len(before["volumes"]) + 1
    assert orphans(cloud)["images"] == before["images"]
    undo(site.run, new_site())
    assert orphans(cloud) == before


@pytest.mark.parametrize("make", [exported, vhdx])
def test_straight_into_the_volume(make: Any, new_site: NewSite, sandbox: Path, cloud: Any, tmp_path: Path) -> None:
    """Asked for, a disk is written into its volume from here: no image is made, every byte is there, all is taken back."""
    source, before, site = bundles.raw(tmp_path / "s.raw", 6 * MIB), orphans(cloud), new_site()
    move, disks = moved(make(tmp_path, source), site, options="path=volume,drivers=virtio")
    assert "straight into the volume" in str(move)
    with requests() as written:
        apply(plan(disks, site), site, approve="yes")
    assert not [url for _, url in written if "/images" in url]
    found = cloud.block_storage.find_volume("d-disk0")
    assert bytes_equal(sandbox, found.id, source, 1)
    assert (found.is_bootable, found.volume_image_metadata["hw_disk_bus"]) == (True, "virtio")
    assert found.metadata["stackbook_compared"] == "every byte"
    assert verify(plan(disks, site), site) == []
    undo(site.run, new_site())
    assert orphans(cloud) == before


def test_straight_and_killed(
    new_site: NewSite, sandbox: Path, cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at requests and amid the writing: resumed by either way it is whole; undone, nothing is left."""
    source, before = bundles.raw(tmp_path / "s.raw", 6 * MIB), orphans(cloud)
    path = exported(tmp_path, source)
    for kill, then in ((1, "path=volume"), (-1, "path=volume"), (-3, "path=volume"), (0, "path=volume"), (0, "")):
        site = new_site()
        _, disks = moved(path, site, options="path=volume")
        planned = plan(disks, site)
        with monkeypatch.context() as patched:
            if kill == 0:
                patched.setattr(disk_write, "copy", killed_amid)
            assert killed(partial(apply, planned, site, approve="yes"), kill), kill
        resumed = Site(site.settings, open_run(site.run.folder))
        _, disks = moved(path, resumed, options=then)
        apply(plan(disks, resumed), resumed)
        assert bytes_equal(sandbox, cloud.block_storage.find_volume("d-disk0").id, source, 1), kill
        undo(site.run, new_site())
        assert orphans(cloud) == before, kill


def killed_amid(content: Any, volume: Any, tell: Any) -> None:
    """Half of it, then the end."""
    import os
    import signal

    volume.write(0, content.read(0, MIB))
    os.kill(os.getpid(), signal.SIGKILL)


def test_straight_only_where_volumes_lie(new_site: NewSite, cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From anywhere else it is a STOP; a volume that turns out to lie elsewhere is not written to."""
    path = exported(tmp_path, bundles.raw(tmp_path / "s.raw", 2 * MIB))
    before, site = orphans(cloud), new_site()
    move, disks = moved(path, site, options="path=volume")
    assert not [row for row in move.stops if "disk 0" in row["check"]]
    planned = plan(disks, site)
    with monkeypatch.context() as patched:
        patched.setattr(disk_place, "readable", lambda *_: "")
        with pytest.raises(CloudFailed, match="can't be written to from here"):
            apply(planned, site, approve="yes")
        patched.setattr(disk_place, "reachable", lambda *_: False)
        stops = moved(path, new_site(), options="path=volume")[0].stops
        assert any("volumes do not lie here" in row["hint"] for row in stops)
    undo(site.run, new_site())
    assert orphans(cloud) == before
    with pytest.raises(BadInput, match="path is image or volume"):
        moved(path, site, options="path=magic")


def test_over_glances_limit(new_site: NewSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that glance would not take goes straight into the volume where that is possible; else it is a STOP."""
    path = exported(tmp_path, bundles.raw(tmp_path / "s.raw", 2 * MIB))
    monkeypatch.setattr(choices, "GLANCE_CAP", 1000)
    site = new_site()
    assert [disk.way for disk in moved(path, site)[1]] == ["volume"]
    monkeypatch.setattr(disk_place, "reachable", lambda *_: False)
    move, _ = moved(path, new_site())
    assert any("image_size_cap" in row["hint"] for row in move.stops)


def test_volume_host_is_told_by_cinder(monkeypatch: pytest.MonkeyPatch) -> None:
    """An LVM volume host is the machine that cinder names, seen by a user who may write to its devices."""
    import os
    import socket

    told: dict[str, Any] = {}
    answer = SimpleNamespace(status_code=200, json=lambda: {"pools": [{"name": "x", "capabilities": told}]})
    storage = SimpleNamespace(get=lambda *_, **__: answer)
    site: Any = SimpleNamespace(settings=SimpleNamespace(sandbox=""), conn=SimpleNamespace(block_storage=storage))
    monkeypatch.setattr(socket, "gethostname", lambda: "storage1")
    monkeypatch.setattr(os, "access", lambda path, _: path == "/dev/mapper/control")
    assert not disk_place.reachable(site)
    for location, here in (
        ("LVMVolumeDriver:storage1:cinder-volumes:thin:0", True),
        ("LVMVolumeDriver:storage2:cinder-volumes:thin:0", False),
        ("ceph:/etc/ceph/ceph.conf:id:cinder:volumes", False),
    ):
        told["location_info"] = location
        assert disk_place.reachable(site) == here
    told["location_info"] = "LVMVolumeDriver:storage1:cinder-volumes:thin:0"
    answer.status_code = 403
    assert not disk_place.reachable(site)
    answer.status_code = 200
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert not disk_place.reachable(site)
