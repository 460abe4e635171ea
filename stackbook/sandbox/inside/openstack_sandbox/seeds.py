"""What a new sandbox holds to begin with: flavors and a small image, made through the APIs, as an operator would.

``python -m openstack_sandbox.seeds HOME``; makes what is missing and leaves the rest.
"""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

from openstack_sandbox.home import Home

if TYPE_CHECKING:
    from openstack.connection import Connection

MIB = 1024 * 1024
FLAVORS = {"m1.tiny": (1, 512, 1), "m1.small": (1, 2048, 20), "m1.medium": (2, 4096, 40), "m1.large": (4, 8192, 80)}
"""Name to vCPUs, MiB of memory and GiB of disk; the sizes that every installation used to come with."""
IMAGE = "sandbox-linux"
IMAGE_SIZE = 8 * MIB


def plant(home: Home) -> None:
    """Make the flavors and the image that are not there yet."""
    cloud = _connect(home)
    have = {flavor.name for flavor in cloud.compute.flavors(get_extra_specs=False)}
    for name, (vcpus, ram, disk) in FLAVORS.items():
        if name not in have:
            cloud.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)
    if not any(image.status == "active" for image in cloud.image.images(name=IMAGE)):
        _image(cloud)


def _image(cloud: Connection) -> None:
    for cut_short in cloud.image.images(name=IMAGE):
        cloud.image.delete_image(cut_short)
    about = {"disk_format": "raw", "container_format": "bare", "visibility": "public", "min_disk": 1, "os_distro": "sandbox"}
    made = cloud.image.post("/images", json={"name": IMAGE, **about})
    made.raise_for_status()
    place = f"/images/{made.json()['id']}/file"
    cloud.image.put(place, data=content(), headers={"Content-Type": "application/octet-stream"}).raise_for_status()


def content() -> bytes:
    """A disk of 8 MiB that is easily told from zeros: a label, then bytes that depend on nothing but it."""
    label = b"stackbook sandbox disk\n"
    noise = b"".join(hashlib.sha256(label + number.to_bytes(4)).digest() for number in range(2 * MIB // 32))
    return (label.ljust(MIB, b"\0") + noise).ljust(IMAGE_SIZE, b"\0")


def _connect(home: Home) -> Connection:
    import openstack

    auth = {
        "auth_url": home.url("keystone", "/v3"),
        "username": "admin",
        "password": home.admin_password,
        "project_name": "admin",
    }
    domains = {"user_domain_id": "default", "project_domain_id": "default"}
    return openstack.connect(auth=auth | domains, region_name="RegionOne", load_yaml_config=False, load_envvars=False)


if __name__ == "__main__":
    plant(Home.open(sys.argv[1]))
