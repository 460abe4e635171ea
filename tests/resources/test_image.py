"""Images and flavors, key pairs and volumes on the sandbox."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stackbook import Absent, apply, plan, plan_undo
from stackbook.errors import BadInput, Refused, Unsafe
from stackbook.plans import Resource
from stackbook.resources import Flavor, Image, KeyPair, Service, Volume
from stackbook.resources.disk_files import disk_format, virtual_size
from stackbook.sandbox import faults
from tests.conftest import SANDBOX
from tests.resources.conftest import Cycle, NewSite

if TYPE_CHECKING:
    from openstack.connection import Connection

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBBuIlFvq3GkNPfBLfMZVCMtHYBPeqyLUXdGc0WyEHwx"
QCOW2 = b"QFI\xfb\x00\x00\x00\x03" + bytes(16) + (3 << 30).to_bytes(8, "big") + bytes(40)


def test_an_image(cycle: Cycle, name: str, disk: Path, cloud: Connection, unchanged: None) -> None:
    """Its content arrives whole; repeated, described otherwise, and taken back."""
    cycle.apply(Image(name, file=str(disk), disk_format="raw", min_disk=1, properties={"os_type": "linux"}))
    found = next(cloud.image.images(name=name))
    assert cloud.image.download_image(found).content == disk.read_bytes()
    cycle.apply(
        Image(name, min_ram=64, properties={"os_type": "windows", "hw_disk_bus": "scsi"}, visibility="public", protected=True)
    )
    cycle.apply(Image(name, file=str(disk), protected=False))
    cycle.undo()


def test_other_content_under_the_same_name(cycle: Cycle, name: str, disk: Path, tmp_path: Path) -> None:
    """An image's content can't change: refused with both checksums."""
    cycle.apply(Image(name, file=str(disk)))
    other = tmp_path / "other.raw"
    other.write_bytes(os.urandom(1000))
    with pytest.raises(Refused, match="checksum can't be changed"):
        plan([Image(name, file=str(other))], cycle.new_site())


def test_an_upload_that_was_cut_off(cycle: Cycle, name: str, disk: Path, cloud: Connection) -> None:
    """An image that is described but empty is filled, not made twice."""
    cloud.image.post("/images", json={"name": name, "disk_format": "raw", "container_format": "bare"})
    cycle.apply(Image(name, file=str(disk)))
    assert [found.status for found in cloud.image.images(name=name)] == ["active"]


@pytest.mark.parametrize(
    ("content", "told", "found"),
    [
        (QCOW2, "raw", "qcow2"),
        (b"KDMV" + bytes(600), "qcow2", "vmdk"),
        (gzip.compress(b"x", mtime=0), "raw", "gzip"),
        (b"plain", "qcow2", "raw"),
    ],
)
def test_a_file_of_another_format(new_site: NewSite, tmp_path: Path, content: bytes, told: str, found: str) -> None:
    """Refused with what the file holds."""
    path = tmp_path / "disk"
    path.write_bytes(content)
    assert disk_format("x", str(path)) == found
    with pytest.raises(Refused, match=f"holds {found}, not {told}"):
        plan([Image("x", file=str(path), disk_format=told)], new_site())


def test_a_disk_larger_than_min_disk(new_site: NewSite, tmp_path: Path) -> None:
    """A qcow2 file's own size counts, not the file's."""
    path = tmp_path / "disk.qcow2"
    path.write_bytes(QCOW2)
    assert virtual_size(str(path)) == 3 << 30
    with pytest.raises(Refused, match="min_disk 2 GiB"):
        plan([Image("x", file=str(path), min_disk=2)], new_site())


def test_secrets_in_properties(new_site: NewSite, disk: Path) -> None:
    """A property whose name says that it is a secret is refused, without its value."""
    with pytest.raises(BadInput) as refused:
        plan([Image("x", file=str(disk), properties={"admin_password": "hunter2"})], new_site())
    assert "hunter2" not in str(refused.value)


def test_a_flavor(cycle: Cycle, name: str, unchanged: None) -> None:
    """Its extra specs and description change; keys that are not named stay; its size can't."""
    cycle.apply(Flavor(name, ram=512, vcpus=1, disk=0, public=False, extra_specs={"hw:cpu_policy": "shared"}))
    changed = cycle.apply(
        Flavor(name, description="web", extra_specs={"hw:cpu_policy": "dedicated", "hw:mem_page_size": "large"})
    )
    assert changed.changes[0].before["extra_specs"] == {"hw:cpu_policy": "shared", "hw:mem_page_size": None}
    with pytest.raises(Refused, match="ram can't be changed"):
        plan([Flavor(name, ram=1024)], cycle.new_site())
    cycle.undo()


def test_a_key_pair(cycle: Cycle, name: str, unchanged: None) -> None:
    """Its comment does not count."""
    cycle.apply(KeyPair(name, f"{KEY} me@here\n"))
    assert len(plan([KeyPair(name, KEY)], cycle.new_site())) == 0
    cycle.undo()


def test_volumes(cycle: Cycle, name: str, image: Any, unchanged: None) -> None:
    """From an image, from another volume, empty and bootable; grown, described and taken back."""
    cycle.apply(
        Volume(f"{name}-a", size=1, image=image.name, metadata={"a": "1"}),
        Volume(f"{name}-b", source_volume=f"{name}-a", size=1),
        Volume(f"{name}-c", size=1, bootable=True, type="lvm"),
    )
    cycle.apply(Volume(f"{name}-a", description="web", metadata={"a": "2", "b": "3"}), Volume(f"{name}-c", bootable=False))
    cycle.undo()


def test_a_volume_grows(cycle: Cycle, name: str) -> None:
    """To the size wanted, for good: it needs consent, undo leaves it and shrinking is refused with its id and size."""
    cycle.apply(Volume(name, size=1))
    site = cycle.new_site()
    with pytest.raises(Unsafe, match=r"update of volume/.* can't be undone"):
        apply(plan([Volume(name, size=2)], site), site, "yes")
    cycle.apply(Volume(name, size=2, description="web"))
    undone = plan_undo(cycle.sites[-1].run, cycle.new_site()).plan
    assert [change.after for change in undone] == [{"description": ""}]
    with pytest.raises(Refused, match="can't shrink") as refused:
        plan([Volume(name, size=1)], cycle.new_site())
    assert "has 2 GiB" in str(refused.value)
    cycle.remove(Volume(name), 2)
    cycle.apply(Volume(name, size=1))
    cycle.apply(Absent(Volume(name)))
    assert not plan_undo(cycle.sites.pop().run, cycle.new_site()).plan.changes
    cycle.sites.clear()


def test_removing_a_volume_needs_consent(cycle: Cycle, name: str) -> None:
    """Its content can't be brought back."""
    cycle.apply(Volume(name, size=1))
    site = cycle.new_site()
    planned = plan([Absent(Volume(name))], site)
    assert [change.reversible for change in planned.plan] == [False]
    with pytest.raises(Unsafe):
        apply(planned, site, planned.digest)


def test_a_volume_that_is_being_made(cycle: Cycle, name: str, cloud: Connection, image: Any) -> None:
    """Planning waits for it: nothing is made twice."""
    made = cloud.block_storage.create_volume(name=name, size=1, image_id=image.id)
    try:
        assert len(plan([Volume(name, size=1, image=image.name)], cycle.new_site())) == 0
    finally:
        cloud.block_storage.delete_volume(made)
        cloud.block_storage.wait_for_delete(made)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Volume("x", size=1, image="t-imaeg"), "t-image"),
        (Volume("x", size=1, snapshot="nothing"), "does not exist"),
        (Volume("x", size=1, source_volume="nothing"), "does not exist"),
        (Volume("x", size=1, type="lmv"), "lvm"),
        (Volume("x", size=1, availability_zone="nvoa"), "nova"),
        (Volume("x", size=100_000), "quota of gigabytes is too small"),
        (Volume("x", size=1, project="nothing"), "does not exist"),
    ],
    ids=["image", "snapshot", "volume", "type", "zone", "quota", "project"],
)
def test_volumes_that_can_not_be(new_site: NewSite, image: Any, wanted: Resource, why: str) -> None:
    """Refused while planning, with the nearest name."""
    with pytest.raises(Refused) as refused:
        plan([wanted], new_site())
    assert why in str(refused.value)


def test_a_volume_too_small_for_its_image(new_site: NewSite, cloud: Connection, name: str) -> None:
    """Refused with what the image needs, and its id."""
    body = {"name": name, "disk_format": "raw", "container_format": "bare", "min_disk": 5}
    id = cloud.image.post("/images", json=body).json()["id"]
    try:
        with pytest.raises(Refused, match="too small") as refused:
            plan([Volume("x", size=4, image=name)], new_site())
        assert id in str(refused.value) and "size=5" in str(refused.value)
    finally:
        cloud.image.delete_image(id)


def test_a_volume_that_no_backend_would_take(new_site: NewSite) -> None:
    """Refused with what is the matter, unless the plan itself starts a backend; not only after the run has begun."""
    wanted, starts = Volume("x", size=1), Service(host="controller1", name="cinder-volume", started_after="2026-01-01T00:00Z")
    faults.break_("backend-down", SANDBOX)
    try:
        with pytest.raises(Refused, match="no volume can be made now") as refused:
            plan([wanted], new_site())
        assert "cinder-volume on controller1@lvm: down, enabled" in str(refused.value)
        assert "volume/x" in {change.address for change in plan([starts, wanted], new_site()).plan}
    finally:
        faults.heal("backend-down", SANDBOX)
    assert len(plan([wanted], new_site())) == 1


def test_an_ambiguous_image(new_site: NewSite, cloud: Connection, name: str) -> None:
    """Refused with the ids of both; by id it is clear."""
    body = {"name": name, "disk_format": "raw", "container_format": "bare"}
    made = [cloud.image.post("/images", json=body).json()["id"] for _ in range(2)]
    try:
        with pytest.raises(Refused, match="ambiguous") as refused:
            plan([Volume("x", size=1, image=name)], new_site())
        assert all(id in str(refused.value) for id in made)
        assert len(plan([Volume("x", size=1, image=made[0])], new_site())) == 1
    finally:
        for id in made:
            cloud.image.delete_image(id)
