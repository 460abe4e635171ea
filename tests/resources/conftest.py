"""What the tests of cloud resources share: plans made, repeated and undone on the sandbox, and things to plan with."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stackbook import Absent, apply, plan, plan_undo
from stackbook.config import HostSettings, SiteSettings
from stackbook.journal import new_run
from stackbook.plans import Resource
from stackbook.resources.inventory import collect

if TYPE_CHECKING:
    from openstack.connection import Connection

    from stackbook.plans import Plan
    from stackbook.site import Site

Desired = Sequence[Resource | Absent]
NewSite = Callable[[], "Site"]
KINDS = ("networks", "subnets", "ports", "routers", "floating_ips", "security_groups", "projects", "users", "role_assignments")
MORE_KINDS = ("volumes", "images", "servers", "flavors", "keypairs", "quotas")
PASSING = ("updated_at", "revision_number", "created_at", "updated", "volumes_in_use", "gigabytes_in_use")


class Cycle:
    """Applies plans one after the other, each under a run of its own, and takes all of them back."""

    def __init__(self, new_site: NewSite) -> None:
        self.new_site = new_site
        self.sites: list[Site] = []

    def apply(self, *desired: Resource | Absent) -> Plan:
        """Plan and apply; a second plan must be empty, and every field found must be one of the resource's."""
        site = self.new_site()
        self.sites.append(site)
        planned = plan(desired, site)
        apply(planned, site, "yes", allow_delete=True)
        again = plan(desired, self.new_site())
        assert not again.plan.changes, again
        for wanted in desired:
            if isinstance(wanted, Resource) and (actual := wanted.read(site)) is not None:
                assert set(actual.values) <= {field.name for field in fields(wanted)}
        made: Plan = planned.plan
        return made

    def remove(self, resource: Resource, runs: int) -> None:
        """Remove a resource instead of undoing the last runs, which are about it."""
        del self.sites[len(self.sites) - runs :]
        site = self.new_site()
        apply(plan([Absent(resource)], site), site, "yes", allow_delete=True)

    def undo_last(self) -> None:
        """Undo the last run only."""
        self.sites, before = self.sites[-1:], self.sites[:-1]
        self.undo()
        self.sites = before

    def undo(self) -> None:
        """Undo every run, last one first; afterwards there is nothing left to undo."""
        while self.sites:
            run = self.sites.pop().run
            if not any(event["event"] == "started" for event in run.events()):
                continue
            site = self.new_site()
            apply(plan_undo(run, site), site, "yes")
            assert not plan_undo(run, self.new_site()).plan.changes


@pytest.fixture
def cycle(new_site: NewSite) -> Iterator[Cycle]:
    """Plans to apply and take back; whatever a failing test left is taken back at the end."""
    made = Cycle(new_site)
    yield made
    made.undo()


@pytest.fixture
def unchanged(new_site: NewSite) -> Iterator[None]:
    """The site is, after the test and its undo, as it was before."""
    before = state(new_site())
    yield
    assert state(new_site()) == before


def state(site: Site) -> dict[str, list[dict[str, Any]]]:
    """What the site has, without times."""
    found = collect(site, (*KINDS, *MORE_KINDS))
    return {kind: sorted((_lasting(row) for row in rows if not _agents_own(row)), key=repr) for kind, rows in found.items()}


def _agents_own(row: dict[str, Any]) -> bool:
    return row.get("device_owner") == "network:dhcp"  # it comes some time after its subnet


def _lasting(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in PASSING}


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"t-{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk of 24 MiB that begins with random bytes."""
    path = tmp_path_factory.mktemp("disks") / "small.raw"
    with path.open("wb") as stream:
        stream.write(os.urandom(1 << 16))
        stream.truncate(24 << 20)
    return path


@pytest.fixture(scope="session")
def image(cloud: Connection, disk: Path) -> Iterator[Any]:
    """An image of that disk."""
    for left in cloud.image.images(name="t-image"):  # by a test session that was killed
        cloud.image.delete_image(left)
    made = cloud.image.create_image("t-image", filename=str(disk), disk_format="raw", container_format="bare", min_disk=1)
    yield made
    cloud.image.delete_image(made)


@pytest.fixture(scope="session")
def flavor(cloud: Connection) -> Iterator[Any]:
    """A flavor without a disk of its own."""
    left = cloud.compute.find_flavor("t-flavor")
    made = left or cloud.compute.create_flavor(name="t-flavor", ram=128, vcpus=1, disk=0)
    yield made
    cloud.compute.delete_flavor(made)


@pytest.fixture
def network(cloud: Connection, name: str) -> Iterator[Any]:
    """A network, which is removed with all of its ports."""
    made = cloud.network.create_network(name=f"{name}-net")
    yield made
    for port in cloud.network.ports(network_id=made.id):
        cloud.network.delete_port(port)
    cloud.network.delete_network(made)


@pytest.fixture
def subnet(cloud: Connection, network: Any, name: str) -> Any:
    """A subnet 10.77.0.0/24 with gateway 10.77.0.1 in that network."""
    return cloud.network.create_subnet(name=f"{name}-sub", network_id=network.id, cidr="10.77.0.0/24", ip_version=4)


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewSite:
    """Opens a site without a cloud whose one host ``h`` is the folder `tmp_path` / "h", under a new run each time."""
    from stackbook.site import Site

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "h"
    root.mkdir()
    settings = SiteSettings("bare", "debian", hosts={"h": HostSettings("h", root=str(root))})
    return lambda: Site(settings, new_run("test", "bare", tmp_path / "runs"))


def undone(site: Site, new_site: NewSite) -> Plan:
    """Take back what was made under a site's run; the plan that did it."""
    later = new_site()
    planned = plan_undo(site.run, later)
    apply(planned, later, planned.digest)
    assert not plan_undo(site.run, new_site()).plan.changes
    made: Plan = planned.plan
    return made
