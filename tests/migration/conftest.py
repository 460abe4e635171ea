"""A sandbox with networks and room for the machines that the tests move."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stackbook import apply, plan
from stackbook.config import HostSettings
from stackbook.hosts import LocalHost
from stackbook.resources import Network, Subnet
from stackbook.site import Site

SIZE = "volume_group_size_gb = "


@pytest.fixture
def networks(new_site: Callable[[], Site]) -> None:
    """The networks ``app`` and ``backup``; made once, kept for the session."""
    site = new_site()
    wanted = [
        Network(name="app"),
        Subnet(name="app", network="app", cidr="192.0.2.0/24", enable_dhcp=False),
        Network(name="backup"),
        Subnet(name="backup", network="backup", cidr="198.51.100.0/24", enable_dhcp=False),
    ]
    apply(plan(wanted, site), site, approve="yes")


@contextmanager
def configured(sandbox: Path, project: str, before: str, after: str) -> Iterator[None]:
    """A service of the sandbox with another setting in its configuration, and restarted; then as it was."""
    from stackbook import sandbox as embedded

    host = LocalHost(HostSettings("controller1", root=str(sandbox / "hosts" / "controller1")))
    path = f"/etc/{project}/{project}.conf"
    found = host.read(path) or b""
    assert before.encode() in found
    host.write(path, found.replace(before.encode(), after.encode(), 1))
    embedded.restart(sandbox.name, project)
    try:
        yield
    finally:
        host.write(path, found)
        embedded.restart(sandbox.name, project)


@pytest.fixture
def roomy(sandbox: Path, cloud: Any) -> Iterator[None]:
    """Room and quota for 2 TiB in the sandbox's volume group."""
    path = f"/os-quota-sets/{cloud.current_project_id}"
    with configured(sandbox, "cinder", f"{SIZE}100", f"{SIZE}4096"):
        quota = cloud.block_storage.get(path).json()["quota_set"]["gigabytes"]
        cloud.block_storage.put(path, json={"quota_set": {"gigabytes": 8000}}, raise_exc=True)
        yield
        cloud.block_storage.put(path, json={"quota_set": {"gigabytes": quota}}, raise_exc=True)


@pytest.fixture
def ample(cloud: Any) -> Iterator[None]:
    """Quota for many machines."""
    wanted = {
        cloud.block_storage: {"volumes": 100, "gigabytes": 1000},
        cloud.compute: {"instances": 100, "cores": 200, "ram": 1 << 20},
    }
    path, before = f"/os-quota-sets/{cloud.current_project_id}", []
    for service, more in wanted.items():
        known = service.get(path).json()["quota_set"]
        before.append((service, {name: known[name] for name in more}))
        service.put(path, json={"quota_set": more}, raise_exc=True)
    yield
    for service, less in before:
        service.put(path, json={"quota_set": less}, raise_exc=True)


def orphans(cloud: Any) -> dict[str, list[str]]:
    """What there is of volumes, images, servers and ports without a network of its own, by name."""
    return {
        "volumes": sorted(item.name for item in cloud.block_storage.volumes()),
        "images": sorted(item.name for item in cloud.image.images()),
        "servers": sorted(item.name for item in cloud.compute.servers()),
        "ports": sorted(item.name for item in cloud.network.ports()),
    }


def bytes_equal(sandbox: Path, volume: str, source: str, size: int) -> bool:
    """Whether the volume's raw file holds the source and zeros after it; by qemu-img, not by our own reader."""
    path = sandbox / "data" / "volumes" / f"volume-{volume}"
    command = ["qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", str(path), source]
    return path.stat().st_size == size << 30 and subprocess.run(command, check=False).returncode == 0
