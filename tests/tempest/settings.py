"""What Tempest is told of a sandbox, and what it needs there: two images, two flavors, an external network."""

from __future__ import annotations

import configparser
import io
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackbook.sandbox import access

Cloud = Any
"""An openstack.connection.Connection; its type offers every version of each API at once."""

EXTERNAL = "198.51.100.0/24"
"""Of the addresses for documentation: nothing answers there."""
POOL = "10.96.0.0/16"


@dataclass(frozen=True)
class Ground:
    """What the tests stand on, made for one run."""

    images: tuple[str, str]
    flavors: tuple[str, str]
    network: tuple[str, str]
    """Id and name of the external network."""
    extensions: tuple[str, ...]
    """Aliases of neutron's extensions."""


@contextmanager
def ground(cloud: Cloud) -> Iterator[Ground]:
    """Make under names of its own what the tests stand on; gone at the end.

    The external network and the pool of addresses become the default ones where there are none: neutron takes them
    when nova asks for a network to be made.
    """
    mark = f"tempest-ground-{uuid.uuid4().hex[:8]}"
    with ExitStack() as clearing:
        images = _images(cloud, mark, clearing)
        flavors = _flavors(cloud, mark, clearing)
        network = _network(cloud, mark, clearing)
        extensions = tuple(one.alias for one in cloud.network.extensions())
        yield Ground(images, flavors, network, extensions)


def _images(cloud: Cloud, mark: str, clearing: ExitStack) -> tuple[str, str]:
    about = {"disk_format": "raw", "container_format": "bare", "visibility": "public"}
    made = []
    for number in (1, 2):
        name = f"{mark}-{number}"
        image = cloud.image.create_image(name=name, data=name.encode().ljust(2**20, b"\0"), **about)
        clearing.callback(cloud.image.delete_image, image.id)
        made.append(image.id)
    return made[0], made[1]


def _flavors(cloud: Cloud, mark: str, clearing: ExitStack) -> tuple[str, str]:
    made = []
    for ram in (64, 128):
        flavor = cloud.compute.create_flavor(name=f"{mark}-{ram}", vcpus=1, ram=ram, disk=1)
        clearing.callback(cloud.compute.delete_flavor, flavor.id)
        made.append(flavor.id)
    return made[0], made[1]


def _network(cloud: Cloud, mark: str, clearing: ExitStack) -> tuple[str, str]:
    pools, networks = cloud.network.subnet_pools(is_default=True), cloud.network.networks(is_router_external=True)
    first, alone = not any(pools), not any(one.is_default for one in networks)
    pool = {"prefixes": [POOL], "default_prefix_length": 26, "is_shared": first, "is_default": first}
    clearing.callback(cloud.network.delete_subnet_pool, cloud.network.create_subnet_pool(name=mark, **pool).id)
    network = cloud.network.create_network(name=mark, is_router_external=True, is_default=alone)
    clearing.callback(cloud.network.delete_network, network.id)
    cloud.network.create_subnet(name=mark, network_id=network.id, ip_version=4, cidr=EXTERNAL, is_dhcp_enabled=False)
    return str(network.id), mark


def write(path: Path, name: str, found: Ground) -> None:
    """Write the ``tempest.conf`` for the sandbox `name` (private: it holds the administrator's password)."""
    text = io.StringIO()
    parser = configparser.RawConfigParser()
    parser.read_dict(_sections(access.environment(name), found, path.parent.parent))
    parser.write(text)
    path.touch(mode=0o600)
    path.write_text(text.getvalue())


def _sections(login: dict[str, str], found: Ground, folder: Path) -> Mapping[str, Mapping[str, object]]:
    return {
        "DEFAULT": {"log_dir": folder, "log_file": "tempest.log"},
        "oslo_concurrency": {"lock_path": folder / "locks"},
        "auth": {
            "admin_username": login["OS_USERNAME"],
            "admin_password": login["OS_PASSWORD"],
            "admin_project_name": login["OS_PROJECT_NAME"],
            "admin_domain_name": login["OS_PROJECT_DOMAIN_NAME"],
            "use_dynamic_credentials": True,
        },
        "identity": {"uri_v3": login["OS_AUTH_URL"], "auth_version": "v3", "region": login["OS_REGION_NAME"]},
        "service_available": {"swift": False, "horizon": False},
        "validation": {"run_validation": False},  # no guest can be reached: there is no data plane
        "image-feature-enabled": {"import_image": True},
        "network": {"public_network_id": found.network[0], "floating_network_name": found.network[1]},
        "network-feature-enabled": {
            "ipv6_subnet_attributes": True,
            "port_security": True,
            "api_extensions": ",".join(found.extensions),
        },
        "volume": {
            "catalog_type": "volumev3",
            "storage_protocol": "local",
            "min_microversion": "3.0",
            "max_microversion": "latest",
        },
        "volume-feature-enabled": {"backup": False, "extend_attached_volume": True},
        "compute": {
            "image_ref": found.images[0],
            "image_ref_alt": found.images[1],
            "flavor_ref": found.flavors[0],
            "flavor_ref_alt": found.flavors[1],
            "min_compute_nodes": 2,
            "min_microversion": "2.1",
            "max_microversion": "latest",
        },
        "compute-feature-enabled": _compute_features(),
    }


def _compute_features() -> dict[str, bool]:
    has = ("resize", "shelve_migrate", "live_migrate_back_and_forth", "block_migration_for_live_migration", "stable_rescue",
           "volume_backed_live_migration", "vnc_console")  # fmt: skip
    has_not = ("attach_encrypted_volume", "personality", "change_password", "volume_multiattach", "metadata_service")
    return dict.fromkeys(has, True) | dict.fromkeys(has_not, False)
