"""Faults of images and volumes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from stackbook.errors import BadInput
from stackbook.sandbox.faults import Fault
from stackbook.sandbox.faults_bench import CONTROLLER, Bench

CONF = "/etc/cinder/cinder.conf"
IMAGE = "sandbox-linux"


def _image(bench: Bench) -> dict[str, Any]:
    found = bench.ask("image", "GET", f"/images?name={IMAGE}&status=active")["images"]
    if not found:
        raise BadInput(f"the sandbox has no image {IMAGE} any more", hint="stackbook sandbox reset, then up")
    return dict(found[0])


def _image_corrupt(bench: Bench) -> None:
    path = bench.home / "data" / "images" / _image(bench)["id"]
    content = bytearray(path.read_bytes())
    content[1000:1100] = bytes(100)
    content[2_000_000:2_000_100] = b"\xff" * 100
    bench.replace(path, bytes(content))


def _image_data_gone(bench: Bench) -> None:
    bench.move(bench.home / "data" / "images" / _image(bench)["id"])


def _image_mislabelled(bench: Bench) -> None:
    bench.set_row("glance", "images", {"id": _image(bench)["id"]}, {"disk_format": "qcow2"})


def _image_deleted(bench: Bench) -> None:
    gone = {"status": "deleted", "deleted": 1, "deleted_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")}
    bench.set_row("glance", "images", {"id": _image(bench)["id"]}, gone)


def _image_deactivated(bench: Bench) -> None:
    image = _image(bench)["id"]
    bench.note("request", service="image", path=f"/images/{image}/actions/reactivate", method="POST", body=None)
    bench.ask("image", "POST", f"/images/{image}/actions/deactivate")


def _image_needs_more(bench: Bench) -> None:
    image = _image(bench)
    bench.set_row("glance", "images", {"id": image["id"]}, {"min_disk": 100})


def _backend_full(bench: Bench) -> None:
    bench.set_option(CONTROLLER, CONF, "lvm", "volume_group_size_gb", "1")
    bench.restart(CONTROLLER, "cinder-volume")


def _backend_down(bench: Bench) -> None:
    bench.set_option(CONTROLLER, CONF, "DEFAULT", "service_down_time", "3700")
    bench.set_option(CONTROLLER, CONF, "DEFAULT", "report_interval", "3600")
    bench.restart(CONTROLLER, "cinder-volume")
    then = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S.%f")
    bench.set_row("cinder", "services", {"host": "controller1@lvm"}, {"updated_at": then}, lasting=False)


def _backend_broken(bench: Bench) -> None:
    bench.set_option(CONTROLLER, CONF, "lvm", "volumes_dir", "/nonexistent/volumes")
    bench.set_option(CONTROLLER, CONF, "DEFAULT", "scheduler_driver_init_wait_time", "3")
    bench.restart(CONTROLLER, "cinder-volume")
    bench.silence("cinder", "services", {"host": "controller1@lvm"}, "updated_at")


def _volume_stuck(bench: Bench) -> None:
    volume = bench.ask("block_storage", "POST", "/volumes", {"volume": {"name": "fault-stuck", "size": 1}})["volume"]["id"]
    bench.made("block_storage", f"/volumes/{volume}?force=True")
    bench.conn.block_storage.wait_for_status(bench.conn.block_storage.get_volume(volume), "available", interval=0.3, wait=60)
    then = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S.%f")
    bench.set_row("cinder", "volumes", {"id": volume}, {"status": "detaching", "updated_at": then})


SERVER = "openstack server create --network NET --flavor m1.tiny"
FROM_IMAGE = f"openstack volume create --size 1 --image {IMAGE} disk"
VOLUME = "openstack volume create --size 5 disk"
FAULTS = (
    Fault("image-corrupt", f"the data of image {IMAGE} differ from its checksum", FROM_IMAGE, "image-corrupt", _image_corrupt),
    Fault(
        "image-mislabelled", f"image {IMAGE} claims to be qcow2, and is raw", FROM_IMAGE, "image-unacceptable", _image_mislabelled
    ),
    Fault("image-deleted", f"image {IMAGE} was deleted", f"{SERVER} --image ID web", "nova-image-not-found", _image_deleted),
    Fault(
        "image-data-gone",
        f"the data of image {IMAGE} are not in the store any more",
        FROM_IMAGE,
        "image-data-gone",
        _image_data_gone,
    ),
    Fault(
        "image-deactivated",
        f"image {IMAGE} is deactivated",
        f"{SERVER} --image {IMAGE} web",
        "image-inactive",
        _image_deactivated,
    ),
    Fault(
        "flavor-too-small",
        f"image {IMAGE} needs a disk of 100 GiB",
        f"{SERVER} --image {IMAGE} web",
        "nova-flavor-disk-small",
        _image_needs_more,
    ),
    Fault("backend-full", "the volume group has 1 GiB", VOLUME, "pool-full", _backend_full),
    Fault("backend-down", "cinder-volume does not report any more", VOLUME, "volume-service-down", _backend_down),
    Fault("backend-broken", "the backend's driver does not start", VOLUME, "cinder-driver-init", _backend_broken),
    Fault(
        "volume-stuck",
        "volume fault-stuck has been detaching for two hours",
        "stackbook trace fault-stuck",
        "volume-stuck",
        _volume_stuck,
    ),
)
